"""Where the corpus lies as token ids, and which packages it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipe.paths import RECIPE_ROOT, cache_dir

MANIFEST = RECIPE_ROOT / "manifest.json"
"""The committed record of the shipped model's training data. Only a whole build of packages.json writes it."""


def record_path() -> Path:
    """The record of the tokens in this cache, written by every build."""
    return cache_dir() / "tokens" / "manifest.json"


def read_record() -> dict[str, Any]:
    """The record of this cache; the committed one if this cache has none."""
    path = record_path()
    record: dict[str, Any] = json.loads((path if path.exists() else MANIFEST).read_text())
    return record


def token_path(name: str, split: str) -> Path:
    """One memory-mappable file per package, so that a package can be added without rebuilding the others."""
    return cache_dir() / "tokens" / split / f"{name.removeprefix('@').replace('/', '-')}.npy"


def load_split(split: str) -> dict[str, NDArray[np.uint16]]:
    """Tokens [N] per package name, memory-mapped, in the record's order.

    Raises FileNotFoundError, with the command that makes the tokens, if there are none.
    """
    paths = {p["name"]: token_path(p["name"], split) for p in read_record()["packages"] if p["split"] == split}
    missing = [name for name, path in paths.items() if not path.exists()]
    if missing or not paths:
        what = f"{len(missing)} of {len(paths)} packages, {missing[0]} first" if missing else "no package at all"
        raise FileNotFoundError(f"tokens of the split {split!r} are missing ({what}): python -m recipe corpus --split {split} makes them")
    return {name: np.load(path, mmap_mode="r") for name, path in paths.items()}
