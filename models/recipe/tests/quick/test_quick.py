from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from recipe.commands import run_command
from recipe.data.token_files import MANIFEST


def test_the_whole_way_from_files_to_a_served_completion_and_on_from_the_converted_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The smallest form: nothing is downloaded, and Node converts and serves the model."""
    monkeypatch.setenv("SEEDLING_CACHE", str(tmp_path))
    committed = MANIFEST.read_bytes()
    run_command("quick", ["--smallest"])
    said = capsys.readouterr().out
    quick = tmp_path / "quick" / "smallest"
    for command in ("corpus", "train", "evaluate", "export", "gptq", "distil-int4"):
        assert f"$ python -m recipe {command} " in said
    _, _, text = said.partition("\ndef add(a, b):\n")
    assert text.split("\n\nThe whole way took")[0] != ""
    assert MANIFEST.read_bytes() == committed
    assert os.environ["SEEDLING_CACHE"] == str(tmp_path)

    converted = quick / "models" / "quick"
    assert json.loads((converted / "manifest.json").read_text())["format"] == "seedling-weights-1"
    monkeypatch.setenv("SEEDLING_CACHE", str(quick))
    few = ["--tokens", "128", "--length", "64", "--batch", "2", "--eval-sequences", "0"]
    run_command("train", ["--run", "on", "--init-model", str(converted), *few])
    record = json.loads((quick / "runs" / "on" / "settings.json").read_text())
    assert record["inputs"]["init_model"]["path"] == str(converted)
    assert (quick / "runs" / "on" / "adapter.safetensors").exists()
