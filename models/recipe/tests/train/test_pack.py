from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recipe.data import token_files
from recipe.data.token_files import token_path
from recipe.errors import RecipeError
from recipe.train import pack, unpack
from recipe.train.pack import Inputs, results, stage, write_parts
from tests.toy_tokenizer import toy_tokenizer


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
    monkeypatch.setattr(token_files, "MANIFEST", manifest)
    (folder / "base").mkdir()
    weights = folder / "base" / "base.gguf"
    weights.write_bytes(rng.bytes(30_000))
    monkeypatch.setattr(pack, "base_gguf", lambda: weights)
    toy_tokenizer().save(str(folder / "base" / "tokenizer.json"))
    (folder / "base" / "chat_template.jinja").write_text("{{ messages }}")
    run = folder / "runs" / "toy"
    run.mkdir(parents=True)
    for name in ("adapter.safetensors", "log.jsonl", "settings.json", "state.pt"):
        (run / name).write_bytes(rng.bytes(9_000))
    return folder


def test_a_run_goes_to_another_machine_and_its_result_comes_back(cache: Path, tmp_path: Path) -> None:
    """Staged, joined by the script beside the parts, read by the recipe's own code there, and the same with the result."""
    parts, there = tmp_path / "parts", tmp_path / "there"
    count = stage(parts, Inputs(init=cache / "runs" / "toy" / "adapter.safetensors"), limit=20_000)
    sizes = [path.stat().st_size for path in parts.glob("part-*.bin")]
    assert len(sizes) == count > 3
    assert max(sizes) <= 20_000
    subprocess.run([sys.executable, parts / "unpack.py", parts, there], check=True, cwd=tmp_path)
    for name in ("tokens/train/s-one.npy", "tokens/heldout/two.npy", "base/base.gguf", "base/tokenizer.json"):
        assert (there / "cache" / name).read_bytes() == (cache / name).read_bytes()
    assert (there / "init.safetensors").read_bytes() == (cache / "runs" / "toy" / "adapter.safetensors").read_bytes()
    program = "from recipe.data.token_files import load_split\nimport recipe.train.train\n"
    program += "print({n: len(t) for n, t in load_split('train').items()}, recipe.train.train.__file__)"
    environment = os.environ | {"SEEDLING_CACHE": str(there / "cache"), "PYTHONPATH": ""}
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=there / "recipe", env=environment, capture_output=True, text=True
    )
    assert answer.stdout.strip() == f"{{'@s/one': 5000}} {there / 'recipe' / 'recipe' / 'train' / 'train.py'}"

    back = tmp_path / "back"
    assert results(cache / "runs" / "toy", back, state=False, limit=8_000) >= 3
    assert max(path.stat().st_size for path in back.glob("part-*.bin")) <= 8_000
    unpack.unpack(back, tmp_path / "runs")
    assert sorted(path.name for path in (tmp_path / "runs" / "toy").iterdir()) == ["adapter.safetensors", "log.jsonl", "settings.json"]
    for path in (tmp_path / "runs" / "toy").iterdir():
        assert path.read_bytes() == (cache / "runs" / "toy" / path.name).read_bytes()


NOT_STAGED = ("datasketch", "gguf", "huggingface_hub", "matplotlib", "requests", "scipy", "transformers", "tree_sitter", "yaml")
"""Packages that a machine with torch, numpy, safetensors, tokenizers and tqdm alone lacks."""

PROGRAM = f"""
import importlib, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_STAGED!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from recipe.commands import COMMANDS
for name in {{"train", "evaluate", "agreement", "continuations", "own", "pools", "orders", "onpolicy", "export", "gptq", "distil-int4",
              "soup", "pack"}} & set(COMMANDS):
    module = importlib.import_module("recipe." + COMMANDS[name])
    assert module.__file__.startswith(sys.argv[1]), module.__file__
print("imported")
"""


def test_the_staged_commands_need_nothing_that_is_not_staged(cache: Path, tmp_path: Path) -> None:
    stage(tmp_path / "parts", Inputs(weights=False))
    unpack.unpack(tmp_path / "parts", tmp_path / "there")
    environment = os.environ | {"SEEDLING_CACHE": str(tmp_path / "there" / "cache"), "PYTHONPATH": ""}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "there")]
    answer = subprocess.run(command, cwd=tmp_path / "there" / "recipe", env=environment, capture_output=True, text=True)
    assert answer.stdout == "imported\n", answer.stderr


def test_inputs_named_by_flags_are_staged_and_missing_ones_refused(cache: Path, tmp_path: Path) -> None:
    model = tmp_path / "export"
    model.mkdir()
    for path in (model / "model.safetensors", tmp_path / "mine.npy", tmp_path / "mine.npz"):
        path.write_bytes(path.name.encode())
    stage(tmp_path / "parts", Inputs(False, False, None, model, tmp_path / "mine.npy", tmp_path / "mine.npz"))
    unpack.unpack(tmp_path / "parts", tmp_path / "there")
    staged = {name: (tmp_path / "there" / name).read_text() for name in ("model/model.safetensors", "own.npy", "orders.npz")}
    assert staged == {"model/model.safetensors": "model.safetensors", "own.npy": "mine.npy", "orders.npz": "mine.npz"}
    assert not (tmp_path / "there" / "cache" / "base" / "base.gguf").exists()
    with pytest.raises(FileNotFoundError, match="does not exist"):
        stage(tmp_path / "more", Inputs(own=tmp_path / "nothing.npy"))


def test_training_packages_that_do_not_fit_are_left_out_and_named(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packages = [{"name": f"p{n}", "split": "train", "tokens": 1_000_000} for n in range(6)]
    for package in packages:
        np.save(token_path(str(package["name"]), "train"), np.random.default_rng(1).integers(0, 40_000, 50_000).astype(np.uint16))
    listed = [{"name": "two", "split": "heldout"}, *packages]
    (cache / "tokens" / "manifest.json").write_text(json.dumps({"packages": listed}))
    stage(tmp_path / "whole", Inputs(weights=False))
    whole = sum(part.stat().st_size for part in (tmp_path / "whole").glob("part-*"))
    most = whole - 150_000
    stage(tmp_path / "parts", Inputs(weights=False), most=most)
    said = capsys.readouterr().out
    assert sum(part.stat().st_size for part in (tmp_path / "parts").glob("part-*")) <= most
    unpack.unpack(tmp_path / "parts", tmp_path / "there")
    staged = json.loads((tmp_path / "there" / "cache" / "tokens" / "manifest.json").read_text())["packages"]
    left = [str(package["name"]) for package in packages if package not in staged]
    assert listed[0] in staged
    assert 0 < len(left) < 6
    assert f"{len(left)} packages, {len(left)}.0M tokens: {', '.join(left)}" in said
    with pytest.raises(RecipeError, match="held-out"):
        stage(tmp_path / "none", Inputs(weights=False), most=1000)


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
