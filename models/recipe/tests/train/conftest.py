from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recipe.data.token_files import record_path, token_path
from recipe.quick.tiny import write_tiny_base


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a corpus of random ids, and a tiny base."""
    monkeypatch.setenv("SEEDLING_CACHE", str(tmp_path / "cache"))
    packages = [{"name": "one", "split": "train", "tokens": 4000}, {"name": "two", "split": "heldout", "tokens": 4000}]
    for seed, package in enumerate(packages):
        path = token_path(str(package["name"]), str(package["split"]))
        path.parent.mkdir(parents=True)
        np.save(path, np.random.default_rng(seed).integers(300, 9000, 4000).astype(np.uint16))
    record_path().write_text(json.dumps({"packages": packages}))
    return write_tiny_base(tmp_path / "base")
