from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from recipe.train.plot import curve, draw, read_log


def write_log(folder: Path, steps: int) -> Path:
    """A log with evaluations between its steps, and a second stage at the end."""
    folder.mkdir(parents=True)
    lines: list[Mapping[str, object]] = []
    for step in range(1, steps + 1):
        line = {"step": step, "tokens": 512 * step, "elapsed_s": 6.0 * step, "loss": 5 - step / steps, "masked_ce": 4 - step / steps}
        lines.append(line | {"grad_norm": 1.0} | ({"kept": 0.9} if step > steps // 2 else {}))
        if step % 10 == 0:
            lines.append({"step": step, "eval": {"causal_accuracy": 0.5}})
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_curves_are_means_over_equal_spans(tmp_path: Path) -> None:
    log = read_log(str(write_log(tmp_path / "a", 100)))
    assert len(log) == 100
    line = curve(log, "masked_ce", "tokens", bins=10)
    assert len(line.x) == 10
    assert (np.diff(line.x) > 0).all()
    assert line.x.mean() == pytest.approx(512 * 50.5 / 1e3, rel=0.05)
    np.testing.assert_allclose(line.y, 4 - line.x * 1e3 / 512 / 100, atol=1e-9)
    assert curve(log, "masked_ce", "minutes", bins=10).x[-1] <= 10
    assert len(curve(log, "kept", "steps").x) == 10
    assert curve(log, "kept", "steps").x[0] > 50
    assert len(curve(log, "corrected", "steps").x) == 0
    assert len(curve(log[:6], "loss", "steps").x) == 6
    assert len(curve(log[:1], "loss", "steps").x) == 1


def test_a_picture_of_two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDLING_CACHE", str(tmp_path))
    write_log(tmp_path / "runs" / "one", 60)
    other = write_log(tmp_path / "elsewhere", 3)
    draw(["one", str(other)], "tokens", tmp_path / "curves.png")
    content = (tmp_path / "curves.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 20_000
    with pytest.raises(FileNotFoundError):
        draw(["none"], "tokens", tmp_path / "x.png")
    with pytest.raises(ValueError, match="at most"):
        draw(["one"] * 9, "tokens", tmp_path / "x.png")
