"""python -m recipe export: merges an adapter into its model and writes a Hugging Face directory (stock Llama, float32)."""

from __future__ import annotations

import argparse
from pathlib import Path

from recipe.model.exported import write_model
from recipe.model.start import load_model, load_trained
from recipe.paths import cache_dir


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", required=True, help="path of an adapter, or none for the model without one")
    parser.add_argument("--model", type=Path, help="the converted or exported model that the adapter was trained on; the base unless given")
    parser.add_argument("--out", type=Path, default=cache_dir() / "export" / "seedling-135m")
    arguments = parser.parse_args()
    none = arguments.adapter == "none"
    model = load_model(arguments.model) if none else load_trained(Path(arguments.adapter), arguments.model)
    write_model(model, arguments.out)
    print(arguments.out)
