from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from recipe.commands import run_command
from recipe.errors import RecipeError
from recipe.model.start import digest
from recipe.paths import cache_dir
from recipe.quick.tiny import write_tiny_base


def test_a_frozen_model_gets_drafts_by_commands(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ["--model", str(base)]
    few = ["--count", "8", "--batch", "4", "--prompt-tokens", "40", "--max-tokens", "24", "--threads", "1"]
    run_command("continuations", [str(tmp_path / "own.jsonl"), *model, *few])
    run_command("own", [str(tmp_path / "own.jsonl"), "--length", "32", "--out", str(tmp_path / "own.npy")])
    own = ["--own", str(tmp_path / "own.npy"), "--own-share", "0.5"]
    short = ["--tokens", "256", "--length", "32", "--rank", "4", "--windows", "8", "--infill-rate", "0", "--branch-first"]
    run_command("drafts", ["--run", "one", *model, *own, *short])
    folder = cache_dir() / "runs" / "one"
    record = json.loads((folder / "settings.json").read_text())
    assert record["command"] == "drafts"
    assert record["inputs"]["model"] == {"path": str(base), "sha256": digest(base)}
    assert record["settings"]["branch_first"]
    assert [json.loads(line)["tokens"] for line in (folder / "log.jsonl").read_text().splitlines()] == [64, 128, 192, 256]

    # A second call that resumes a run that has ended trains nothing more.
    before = load_file(folder / "adapter.safetensors")
    run_command("drafts", ["--run", "one", *model, *own, *short, "--resume"])
    assert all((load_file(folder / "adapter.safetensors")[name] == tensor).all() for name, tensor in before.items())

    capsys.readouterr()
    adapter = str(folder / "adapter.safetensors")
    run_command("draft-agreement", [*model, "--adapters", "none", adapter, "--texts", "2", "--phases", "8", "--sequences", "1"])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(report) == ["none", adapter]
    assert report[adapter]["held-out"]["masks 3 position 2 off"]["n"] + report[adapter]["held-out"]["masks 3 position 2 on"]["n"] == 16
    # No adapter changes the causal half.
    assert report["none"]["accuracies"]["causal_ce"] == report[adapter]["accuracies"]["causal_ce"]


def test_an_adapter_is_refused_by_another_model(base: Path, tmp_path: Path) -> None:
    run_command("drafts", ["--run", "one", "--model", str(base), "--tokens", "64", "--length", "32", "--rank", "4", "--infill-rate", "0"])
    adapter = str(cache_dir() / "runs" / "one" / "adapter.safetensors")
    other = write_tiny_base(tmp_path / "other")
    (other / "config.json").write_text((other / "config.json").read_text() + " ")
    with pytest.raises(RecipeError, match="was trained on"):
        run_command("draft-agreement", ["--model", str(other), "--adapters", adapter])
