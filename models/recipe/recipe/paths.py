"""Where the recipe keeps its files. Nothing under the cache is ever committed."""

from __future__ import annotations

import os
from pathlib import Path

RECIPE_ROOT = Path(__file__).resolve().parent.parent
"""The folder models/recipe of the repository."""

REPOSITORY_ROOT = RECIPE_ROOT.parent.parent


def cache_dir() -> Path:
    """$SEEDLING_CACHE, or ~/.cache/seedling. Created when missing."""
    path = Path(os.environ.get("SEEDLING_CACHE", "~/.cache/seedling")).expanduser()
    path.mkdir(parents=True, exist_ok=True)
    return path


def eval_dir() -> Path:
    """The evaluation sets to decontaminate against: $SEEDLING_EVAL, or shared/eval beside the repository."""
    default = REPOSITORY_ROOT.parent / "shared" / "eval"
    return Path(os.environ.get("SEEDLING_EVAL", str(default))).expanduser()
