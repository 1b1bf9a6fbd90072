from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from recipe.commands import run_command
from recipe.data.token_files import token_path
from recipe.errors import RecipeError
from recipe.model.start import digest, load_model, load_trained
from recipe.paths import cache_dir
from recipe.train import noise, run_record

FEW = ["--tokens", "512", "--minutes", "1e9", "--length", "64", "--batch", "2", "--eval-sequences", "0"]


def files(run: str) -> tuple[dict[str, bytes], dict[str, object]]:
    """The bytes of an adapter's tensors, and the record."""
    folder = cache_dir() / "runs" / run
    tensors = load_file(folder / "adapter.safetensors")
    return {name: tensor.float().numpy().tobytes() for name, tensor in tensors.items()}, json.loads((folder / "settings.json").read_text())


def test_a_run_is_repeated_from_its_record_to_the_bit(base: Path) -> None:
    run_command("train", ["--run", "one", "--init-model", str(base), *FEW, "--infill-rate", "0.25", "--threads", "1"])
    run_command("train", ["--from", "one", "--run", "two"])
    assert files("one") == files("two")
    run_command("train", ["--from", str(cache_dir() / "runs" / "one"), "--run", "three", "--seed", "5"])
    adapter, record = files("three")
    assert adapter != files("one")[0]
    before = files("one")[1]
    assert {name for name in record if record[name] != before[name]} == {"settings"}
    with pytest.raises(SystemExit):
        run_command("train", ["--from", "one", "--run", "one"])


def test_the_record_holds_what_shapes_a_run(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_command("train", ["--run", "one", "--init-model", str(base), *FEW])
    record = files("one")[1]
    inputs, constants = record["inputs"], record["constants"]
    assert isinstance(inputs, dict)
    assert isinstance(constants, dict)
    assert inputs == {
        "init_model": {"path": str(base), "sha256": digest(base)},
        "init": None,
        "own": None,
        "orders": None,
    }
    assert constants["train.noise.SUFFIX_SHARE"] == noise.SUFFIX_SHARE
    assert constants["train.noise.BLOCK_WEIGHTS"] == list(noise.BLOCK_WEIGHTS)
    assert {"model.lora.RANK", "model.lora.SCALE", "data.edits.RIGHT_WEIGHT"} <= constants.keys()
    assert record["options"] == {"threads": 2, "eval_sequences": 0}
    assert record["corpus"] == run_record.corpus_digest()
    monkeypatch.setattr(run_record, "git", lambda *_: None)
    assert run_record.commit() is None, "neither a repository nor a staged copy"


def test_a_run_is_not_repeated_under_other_conditions(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_command("train", ["--run", "one", "--init-model", str(base), *FEW])
    again = ["--from", "one", "--run", "two"]
    kept_share = noise.SUFFIX_SHARE
    monkeypatch.setattr(noise, "SUFFIX_SHARE", 0.5)
    with pytest.raises(RecipeError, match=r"recipe\.train\.noise\.SUFFIX_SHARE is 0\.5"):
        run_command("train", again)
    monkeypatch.setattr(noise, "SUFFIX_SHARE", kept_share)
    config = base / "config.json"
    kept = config.read_text()
    config.write_text(kept + " ")
    with pytest.raises(RecipeError, match=r"--init-model .* has changed"):
        run_command("train", again)
    config.write_text(kept)
    np.save(token_path("one", "train"), np.arange(4000, dtype=np.uint16))
    with pytest.raises(RecipeError, match="corpus"):
        run_command("train", again)
    with pytest.raises(FileNotFoundError, match="is no run"):
        run_command("train", ["--from", "nothing", "--run", "two"])
    assert not (cache_dir() / "runs" / "two").exists()


def test_an_adapter_is_not_put_on_another_model(base: Path, tmp_path: Path) -> None:
    run_command("train", ["--run", "one", "--init-model", str(base), *FEW])
    adapter = cache_dir() / "runs" / "one" / "adapter.safetensors"
    load_trained(adapter, base)
    with pytest.raises(RecipeError, match="was trained on the model"):
        load_trained(adapter)
    with pytest.raises(FileNotFoundError, match="neither a converted model"):
        load_model(tmp_path)
