"""Where the corpus lies as token ids, and which of its files the manifest lists."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipe.paths import RECIPE_ROOT, cache_dir

MANIFEST = RECIPE_ROOT / "manifest.json"


def token_path(name: str, split: str) -> Path:
    """One memory-mappable file per package, so that the list grows without redoing the rest."""
    return cache_dir() / "tokens" / split / f"{name.removeprefix('@').replace('/', '-')}.npy"


def load_split(split: str) -> dict[str, NDArray[np.uint16]]:
    """Tokens per package name, memory-mapped, in the manifest's order."""
    listed = json.loads(MANIFEST.read_text())["packages"]
    return {p["name"]: np.load(token_path(p["name"], split), mmap_mode="r") for p in listed if p["split"] == split}
