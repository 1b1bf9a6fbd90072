from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from recipe.commands import run_command
from recipe.paths import cache_dir
from recipe.quick import half_hour
from recipe.quick.tiny import write_tiny_base
from tests.train.conftest import base

__all__ = ["base"]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEEDLING_CACHE", str(tmp_path))
    run_command("gpu-half-hour", ["--model", str(tmp_path / "absent"), "--minutes", "10", "--dry-run"])
    said = capsys.readouterr().out
    commands = [line.split()[3] for line in said.splitlines() if line.startswith("  python -m recipe ")]
    assert commands == ["continuations", "own", "drafts", "draft-agreement"]
    assert "--minutes 1.50" in said
    assert "--minutes 7.00" in said
    assert "npm run convert" in said
    assert not (tmp_path / "runs").exists()


def test_it_leaves_an_adapter_within_its_time(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without the converter beside it, as in a staged copy.
    monkeypatch.setattr(half_hour, "REPOSITORY_ROOT", tmp_path)
    started = time.monotonic()
    small = ["--length", "64", "--texts", "2", "--minutes", "0.1"]
    run_command("gpu-half-hour", ["--model", str(write_tiny_base(tmp_path / "model")), *small])
    assert time.monotonic() - started < 60
    folder = cache_dir() / "runs" / "half-hour"
    assert (folder / "adapter.safetensors").exists()
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert log[-1]["elapsed_s"] > 0.9 * 0.07 * 60
    assert log[-1]["lr"] < 0.2 * log[len(log) // 3]["lr"]
    said = capsys.readouterr().out
    assert f"{half_hour.speed(folder / 'log.jsonl'):.0f} tokens/s in training" in said
    report = next(line for line in said.splitlines() if line.startswith('{"none"'))
    assert list(json.loads(report)) == ["none", str(folder / "adapter.safetensors")]
