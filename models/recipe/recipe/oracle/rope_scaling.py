"""python -m recipe rope-scaling: writes logits of the tiny checkpoints under each kind of scaled RoPE, as transformers computes them.

The checkpoints are those of `python -m recipe fixture`. Only config.json differs, and transformers reads it from the file, so that
its own rules for defaults apply.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from recipe.oracle.fixture import END_OF_TEXT
from recipe.paths import REPOSITORY_ROOT

FIXTURES = REPOSITORY_ROOT / "test" / "fixtures"

TOKENS = 200
"""Three times the original context and more."""

ROWS = (10, 63, 64, 130, 199)
"""Rows whose logits are kept: within the original context, at its end and past it."""

EVERY = 4
"""Logits hold every fourth entry of the vocabulary."""

ORIGINAL = 64
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": ORIGINAL}
YARN = {"factor": 4.0, "original_max_position_embeddings": ORIGINAL}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "linear, the name of before": ("tiny-llama", {"rope_scaling": {"type": "linear", "factor": 2.0}}),
    "linear, transformers 5": ("tiny-qwen2", {"rope_parameters": {"rope_type": "linear", "factor": 4, "rope_theta": 5e4}}),
    "llama3": ("tiny-llama", {"rope_scaling": {"rope_type": "llama3"} | LLAMA3}),
    "llama3, transformers 5": ("tiny-qwen3", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5} | LLAMA3 | {"factor": 32}}),
    "llama3, the context beside it": (
        "tiny-llama",
        {"rope_scaling": {"rope_type": "llama3"} | LLAMA3 | {"high_freq_factor": 3}, "original_max_position_embeddings": 48},
    ),
    "yarn": ("tiny-qwen2", {"rope_scaling": {"type": "yarn"} | YARN}),
    "yarn, transformers 5": ("tiny-qwen3", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6} | YARN}),
    "yarn, attention factor": ("tiny-llama", {"rope_scaling": {"rope_type": "yarn", "attention_factor": 0.8} | YARN}),
    "yarn, mscale": ("tiny-llama", {"rope_scaling": {"rope_type": "yarn", "mscale": 1.5, "mscale_all_dim": 0.5} | YARN}),
    "yarn, one mscale": ("tiny-llama", {"rope_scaling": {"rope_type": "yarn", "mscale": 1.5} | YARN}),
    "yarn, betas": ("tiny-qwen3", {"rope_scaling": {"rope_type": "yarn", "beta_fast": 8, "beta_slow": 2} | YARN}),
    "yarn, bounds not rounded": ("tiny-qwen3", {"rope_scaling": {"rope_type": "yarn", "truncate": False} | YARN}),
    "yarn, the factor by the contexts": ("tiny-llama", {"rope_scaling": {"rope_type": "yarn"} | YARN | {"factor": None}}),
    "yarn, no original context": ("tiny-llama", {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}),
    "both names": (
        "tiny-llama",
        {"rope_scaling": {"rope_type": "yarn"} | YARN, "rope_parameters": {"rope_type": "linear", "factor": 2.0}},
    ),
    "an empty scaling": ("tiny-llama", {"rope_scaling": {}, "rope_parameters": {"rope_type": "linear", "factor": 2.0}}),
}
"""Name -> checkpoint, changes to its config.json."""


@torch.no_grad()
def rope_case(checkpoint: str, changes: dict[str, Any], seed: int) -> dict[str, Any]:
    """Frequencies (d/2), the factor of cosines and sines, and logits of a causal forward over random ids."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copy(FIXTURES / checkpoint / "model.safetensors", folder)
        config = json.loads((FIXTURES / checkpoint / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.randint(0, END_OF_TEXT, (TOKENS,), generator=torch.Generator().manual_seed(seed))
    logits = model(input_ids=ids[None]).logits[0]
    rotary = model.model.rotary_emb
    return {
        "checkpoint": checkpoint,
        "changes": changes,
        "frequencies": rotary.inv_freq.tolist(),
        "magnitude": float(rotary.attention_scaling),
        "ids": ids.tolist(),
        "logits": [[round(value, 4) for value in logits[row, ::EVERY].tolist()] for row in ROWS],
    }


def write_cases(path: Path) -> None:
    """All cases as one JSON file."""
    cases = {name: rope_case(checkpoint, changes, seed) for seed, (name, (checkpoint, changes)) in enumerate(CASES.items())}
    path.write_text(json.dumps({"rows": ROWS, "every": EVERY, "cases": cases}, separators=(",", ":")) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FIXTURES / "rope-scaling.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    write_cases(arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size // 1000} kB")
