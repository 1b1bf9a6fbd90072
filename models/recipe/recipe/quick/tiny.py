"""A base and a corpus that need no network: a tiny random Llama and this repository's own files."""

from __future__ import annotations

from pathlib import Path

import torch

from recipe.data.fetch import Package
from recipe.data.tokenizer import MASK_ID
from recipe.model.exported import write_model
from recipe.model.llama import Llama, LlamaConfig

REPOSITORY = (
    Package("seedling-recipe", "0.1.0", "Apache-2.0", "repository", "heldout", include=["models/recipe/recipe"]),
    Package("seedling", "0.1.0", "Apache-2.0", "repository", "train", include=["src"]),
)
"""This repository's Python as held-out text, its TypeScript as training text."""

TINY = LlamaConfig(hidden_size=64, intermediate_size=96, layers=2, heads=4, kv_heads=2, head_dim=16, max_positions=256)
"""The base's vocabulary, so that its tokenizer serves, and otherwise as small as the engine takes it."""


def write_tiny_base(folder: Path) -> Path:
    """Writes an export with random weights, the same at every call, and returns its folder."""
    generator = torch.Generator().manual_seed(0)
    model = Llama(TINY, MASK_ID).requires_grad_(False)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.copy_(1 + 0.1 * noise if "norm" in name else 0.1 * noise)
    write_model(model, folder)
    return folder
