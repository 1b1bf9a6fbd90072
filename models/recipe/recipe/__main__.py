"""python -m recipe COMMAND: the one command line of the recipe."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from recipe.commands import COMMANDS, GROUPS, run_command
from recipe.errors import RecipeError


def summary(module: str) -> str:
    """The first sentence of a module's docstring. The module is not imported, because most of them load PyTorch."""
    path = Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py")
    doc = ast.get_docstring(ast.parse(path.read_text("utf8"))) or ""
    return doc.split("\n")[0].partition(": ")[2]


def usage() -> str:
    """The commands by group, each with its summary."""
    lines = ["usage: python -m recipe COMMAND [options]", "", "`python -m recipe COMMAND --help` lists the options of a command."]
    for group, commands in GROUPS.items():
        lines += ["", f"{group}:", *(f"  {name:<16} {summary(module)}" for name, module in commands.items())]
    return "\n".join(lines)


def main() -> None:
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h"):
        print(usage())
        return
    if name not in COMMANDS:
        sys.exit(f"python -m recipe has no command {name!r}.\n\n{usage()}")
    try:
        run_command(name, rest)
    except (FileNotFoundError, RecipeError) as error:
        # The message names the file, and the command that makes it if one does.
        sys.exit(f"python -m recipe {name}: {error}")


if __name__ == "__main__":
    main()
