"""The commands of the recipe. Each command is the `main` of one module."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

GROUPS = {
    "all of it": {"quick": "quick.quick", "gpu-half-hour": "quick.half_hour"},
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
    "evaluate": {
        "evaluate": "evaluate.evaluate",
        "agreement": "evaluate.agreement",
        "draft-agreement": "evaluate.draft_agreement",
        "parity": "evaluate.parity",
    },
    "int4": {"export": "int4.export", "gptq": "int4.gptq", "distil-int4": "int4.distil"},
    "oracle": {
        "golden": "oracle.golden",
        "fixture": "oracle.fixture",
        "drafts-fixture": "oracle.drafts_fixture",
        "families": "oracle.families",
        "block-length-1": "oracle.block_length_1",
        "rope-scaling": "oracle.rope_scaling",
        "adapters": "oracle.adapters",
        "unicode-tables": "oracle.unicode_tables",
        "tokenizer-cases": "oracle.tokenizer_cases",
        "template-cases": "oracle.template_cases",
        "added-tokens": "oracle.added_tokens",
        "continued-turns": "oracle.continued_turns",
        "gguf-types": "oracle.gguf_types",
    },
}
"""Command -> module, by folder, in the order in which they make a model."""

COMMANDS = {name: module for group in GROUPS.values() for name, module in group.items()}


def run_command(name: str, arguments: Sequence[str]) -> None:
    """Runs a command as `python -m recipe NAME ARGUMENTS` does."""
    before = sys.argv
    # argparse reads its arguments and the program's name from here.
    sys.argv = [f"python -m recipe {name}", *arguments]
    try:
        importlib.import_module(f"recipe.{COMMANDS[name]}").main()
    finally:
        sys.argv = before
