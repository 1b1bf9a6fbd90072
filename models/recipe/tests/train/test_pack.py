from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recipe.data.token_files import token_path
from recipe.train import pack, unpack
from recipe.train.pack import results, stage, write_parts


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a toy corpus, a stand-in for the base weights and a finished run."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SEEDLING_CACHE", str(folder))
    rng = np.random.default_rng(0)
    packages = [{"name": "@s/one", "split": "train"}, {"name": "two", "split": "heldout"}]
    for package in packages:
        path = token_path(package["name"], package["split"])
        path.parent.mkdir(parents=True)
        np.save(path, rng.integers(0, 40_000, 5000).astype(np.uint16))
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"packages": packages}))
    monkeypatch.setattr(pack, "MANIFEST", manifest)
    (folder / "base").mkdir()
    weights = folder / "base" / "base.gguf"
    weights.write_bytes(rng.bytes(30_000))
    monkeypatch.setattr(pack, "base_gguf", lambda: weights)
    (folder / "base" / "tokenizer.json").write_text("{}")
    run = folder / "runs" / "toy"
    run.mkdir(parents=True)
    for name in ("adapter.safetensors", "log.jsonl", "settings.json", "state.pt"):
        (run / name).write_bytes(rng.bytes(9_000))
    return folder


def test_a_run_goes_to_another_machine_and_its_result_comes_back(cache: Path, tmp_path: Path) -> None:
    """Staged, joined by the script beside the parts, read by the recipe's own code there, and the same with the result."""
    parts, there = tmp_path / "parts", tmp_path / "there"
    count = stage(parts, init=cache / "runs" / "toy" / "adapter.safetensors", with_wheels=False, limit=20_000)
    sizes = [path.stat().st_size for path in parts.glob("part-*.bin")]
    assert len(sizes) == count > 3
    assert max(sizes) <= 20_000
    subprocess.run([sys.executable, parts / "unpack.py", parts, there], check=True, cwd=tmp_path)
    for name in ("tokens/train/s-one.npy", "tokens/heldout/two.npy", "base/base.gguf", "base/tokenizer.json"):
        assert (there / "cache" / name).read_bytes() == (cache / name).read_bytes()
    assert (there / "init.safetensors").read_bytes() == (cache / "runs" / "toy" / "adapter.safetensors").read_bytes()
    program = "from recipe.data.token_files import load_split\nimport recipe.train.train\n"
    program += "print({n: len(t) for n, t in load_split('train').items()})"
    environment = os.environ | {"SEEDLING_CACHE": str(there / "cache"), "PYTHONPATH": ""}
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=there / "recipe", env=environment, capture_output=True, text=True
    )
    assert answer.stdout.strip() == "{'@s/one': 5000}"

    back = tmp_path / "back"
    assert results(cache / "runs" / "toy", back, state=False, limit=8_000) >= 3
    assert max(path.stat().st_size for path in back.glob("part-*.bin")) <= 8_000
    unpack.unpack(back, tmp_path / "runs")
    assert sorted(path.name for path in (tmp_path / "runs" / "toy").iterdir()) == ["adapter.safetensors", "log.jsonl", "settings.json"]
    for path in (tmp_path / "runs" / "toy").iterdir():
        assert path.read_bytes() == (cache / "runs" / "toy" / path.name).read_bytes()


def test_the_state_comes_along_when_asked_for(cache: Path, tmp_path: Path) -> None:
    results(cache / "runs" / "toy", tmp_path / "back", state=True)
    unpack.unpack(tmp_path / "back", tmp_path / "runs")
    assert (tmp_path / "runs" / "toy" / "state.pt").read_bytes() == (cache / "runs" / "toy" / "state.pt").read_bytes()


def test_missing_and_damaged_parts_are_named(cache: Path, tmp_path: Path) -> None:
    back = tmp_path / "back"
    results(cache / "runs" / "toy", back, state=False, limit=8_000)
    part = back / "part-001.bin"
    content = part.read_bytes()
    part.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match=r"part-001\.bin is damaged"):
        unpack.unpack(back, tmp_path / "runs")
    part.unlink()
    with pytest.raises(FileNotFoundError, match=r"part-001\.bin"):
        unpack.unpack(back, tmp_path / "runs")


def test_parts_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    write_parts([(tmp_path / "a", "a")], tmp_path / "out", 100)
    with pytest.raises(FileExistsError, match="not empty"):
        write_parts([(tmp_path / "a", "a")], tmp_path / "out", 100)
