"""python -m recipe COMMAND: the one command line of the recipe. Each command is the `main` of one module."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

GROUPS = {
    "data": {"corpus": "data.corpus"},
    "train": {
        "train": "train.train",
        "drafts": "train.drafts",
        "soup": "train.soup",
        "plot": "train.plot",
        "pack": "train.pack",
    },
    "orders": {
        "continuations": "orders.continuations",
        "own": "orders.own",
        "pools": "orders.pools",
        "orders": "orders.orders",
        "onpolicy": "orders.onpolicy",
    },
    "evaluate": {"evaluate": "evaluate.evaluate", "agreement": "evaluate.agreement", "draft-agreement": "evaluate.draft_agreement"},
    "int4": {"export": "int4.export", "gptq": "int4.gptq", "distil-int4": "int4.distil"},
    "oracle": {"golden": "oracle.golden", "fixture": "oracle.fixture", "families": "oracle.families"},
}
"""Command -> module, by folder, in the order in which a model comes about."""

COMMANDS = {name: module for group in GROUPS.values() for name, module in group.items()}


def summary(module: str) -> str:
    """The first sentence of a module's docstring, read without an import: most of them load PyTorch."""
    path = Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py")
    doc = ast.get_docstring(ast.parse(path.read_text("utf8"))) or ""
    return doc.split("\n")[0].partition(": ")[2]


def usage() -> str:
    lines = ["usage: python -m recipe COMMAND [options]", "", "`python -m recipe COMMAND --help` lists the options of a command."]
    for group, commands in GROUPS.items():
        lines += ["", f"{group}:", *(f"  {name:<14} {summary(module)}" for name, module in commands.items())]
    return "\n".join(lines)


def main() -> None:
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h"):
        print(usage())
        return
    if name not in COMMANDS:
        sys.exit(f"python -m recipe has no command {name!r}.\n\n{usage()}")
    # argparse names the program by it.
    sys.argv = [f"python -m recipe {name}", *rest]
    try:
        importlib.import_module(f"recipe.{COMMANDS[name]}").main()
    except FileNotFoundError as error:
        # Its message names the file and, for files of the recipe, the command that makes it.
        sys.exit(f"python -m recipe {name}: {error}")


if __name__ == "__main__":
    main()
