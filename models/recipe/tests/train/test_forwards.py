"""Runs that put several texts into one forward, train all weights, or share a step between processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from recipe.commands import run_command
from recipe.data.token_files import token_path
from recipe.data.tokenizer import END_OF_TEXT
from recipe.errors import RecipeError
from recipe.model.exported import load_export
from recipe.model.gated import add_gated_adapters
from recipe.model.lora import adapter_state
from recipe.paths import RECIPE_ROOT, cache_dir
from recipe.train.batches import Forwards, mean_numbers, own_indices
from recipe.train.drafts import DraftRun
from recipe.train.objective import sequence_loss
from recipe.train.train import Run
from tests.cycle import cycle_model
from tests.train import test_drafts, test_train

SHORT = ["--tokens", "384", "--length", "32", "--eval-sequences", "0", "--infill-rate", "0", "--minutes", "9"]


def toy_run(folder: Path, forwards: Forwards, **changes: object) -> Run:
    """A run whose schedule has no wall clock."""
    settings = replace(test_train.SETTINGS, minutes=1e9, **changes)  # type: ignore[arg-type]
    first = test_train.toy_run(folder, settings)
    return Run(first.model, first.data.windows, settings, folder, None, forwards=forwards)


def test_texts_in_one_forward_take_the_steps_of_texts_alone(tmp_path: Path) -> None:
    runs = []
    for microbatch in (0, 4, 2):
        run = toy_run(tmp_path / str(microbatch), Forwards(1, microbatch))
        records = [run.train_step() for _ in range(3)]
        assert run.sequences == 12
        runs.append((records, adapter_state(run.model)))
    (expected, state), *others = runs
    for records, other in others:
        for record, one in zip(records, expected, strict=True):
            assert record["loss"] == pytest.approx(one["loss"], rel=1e-4)
            assert record["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-3)
        for name, tensor in state.items():
            torch.testing.assert_close(other[name], tensor, atol=2e-4, rtol=1e-3)


def test_drafts_in_one_forward_take_the_steps_of_texts_alone(tmp_path: Path) -> None:
    settings = replace(test_drafts.SETTINGS, drafts_share=1.0)
    states = []
    for microbatch in (0, 2):
        torch.manual_seed(0)
        model = add_gated_adapters(cycle_model(60, drafts=False), settings.rank, settings.scale)
        run = DraftRun(model, test_drafts.circles(), settings, tmp_path / str(microbatch), None, forwards=Forwards(1, microbatch))
        records = [run.train_step() for _ in range(3)]
        states.append((adapter_state(run.model), records))
    for name, tensor in states[0][0].items():
        torch.testing.assert_close(states[1][0][name], tensor, atol=2e-4, rtol=1e-3)
    assert states[1][1][0]["draft_loss"] == pytest.approx(states[0][1][0]["draft_loss"], rel=1e-4)


def test_a_batch_of_drafts_is_of_one_kind(tmp_path: Path) -> None:
    settings = replace(test_drafts.SETTINGS, drafts_share=0.5)
    model = add_gated_adapters(cycle_model(1, drafts=False), settings.rank, settings.scale)
    run = DraftRun(model, test_drafts.circles(), settings, tmp_path, None, forwards=Forwards(1, 2))
    kinds = [windows is None for first in range(0, 80, 4) for _, windows in run.make_batches(first)]
    assert 0.25 < np.mean(kinds) < 0.75
    run.train_step()
    assert np.isfinite(sum(float(tensor.sum()) for tensor in adapter_state(model).values()))


def test_all_weights_are_trained_and_come_back(base: Path, tmp_path: Path) -> None:
    run_command("train", ["--run", "all", "--init-model", str(base), "--full", *SHORT, "--batch", "2", "--learning-rate", "1e-3"])
    path = cache_dir() / "runs" / "all" / "adapter.safetensors"
    before, after = load_export(base).state_dict(), load_file(path)
    assert after.keys() == before.keys()
    assert all(tensor.dtype == torch.float32 and not torch.equal(tensor, before[name]) for name, tensor in after.items())
    run_command("export", ["--adapter", str(path), "--model", str(base), "--out", str(tmp_path / "export")])
    assert all(torch.equal(tensor, after[name]) for name, tensor in load_export(tmp_path / "export").state_dict().items())
    with pytest.raises(RecipeError, match="with --full"):
        run_command("train", ["--run", "more", "--init", str(path), "--init-model", str(base), *SHORT])


def test_the_embedding_learns_through_both_of_its_uses(tmp_path: Path) -> None:
    """Against autograd over the whole vocabulary, at one entry of the embedding."""
    run = toy_run(tmp_path, Forwards(), full=True, head_ids=40, causal_share=1.0, soft_target=0.0)
    run.model.requires_grad_(True)
    weight = run.model.embed_tokens.weight
    sequence = run.data.sequence(0)

    def loss() -> torch.Tensor:
        return sequence_loss(run.model, run.head, sequence.ids, sequence.noisy, sequence.block, 0.0, 1.0, sequence.importance).total

    (gradient,) = torch.autograd.grad(loss(), weight)
    for at in ((6, 3), (13, 20), (15, 7)):
        found = []
        for step in (1e-2, -1e-2):
            with torch.no_grad():
                weight[at] += step
                found.append(float(loss()))
                weight[at] -= step
        assert float(gradient[at]) == pytest.approx((found[0] - found[1]) / 2e-2, rel=0.02, abs=1e-3)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--batch", "4", "--microbatch", "3"], "--microbatch divides --batch"),
        (["--packed", "--microbatch", "0"], "--packed needs --microbatch"),
        (["--compile", "--microbatch", "0"], "--compile needs --microbatch"),
        (["--compile", "--microbatch", "4", "--qat"], "--compile and --qat"),
        (["--full", "--qat"], "--full and --qat"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_command("train", flags)
    assert message in capsys.readouterr().err


def test_numbers_that_are_absent_do_not_count() -> None:
    assert mean_numbers([{"a": 1.0, "b": float("nan")}, {"a": 3.0, "c": 5.0}]) == {"a": 2.0, "c": 5.0}
    assert own_indices(8, 3) == [8, 9, 10]


def two_processes(*arguments: str) -> None:
    """A command by torchrun on two CPU processes, which talk by gloo."""
    started = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--", "recipe"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    answer = subprocess.run([*started, *arguments], cwd=RECIPE_ROOT, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr[-3000:]


def test_two_processes_take_the_steps_of_one_with_twice_the_batch(base: Path) -> None:
    path = token_path("one", "train")
    tokens = np.load(path)
    tokens[::50] = END_OF_TEXT
    np.save(path, tokens)
    flags = ["--init-model", str(base), *SHORT, "--packed", "--threads", "1", "--learning-rate", "1e-3"]
    two_processes("train", "--run", "two", *flags, "--batch", "2", "--microbatch", "1")
    run_command("train", ["--run", "one", *flags, "--batch", "4", "--microbatch", "4"])
    runs = cache_dir() / "runs"
    one, two = (load_file(runs / name / "adapter.safetensors") for name in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=2e-3, rtol=2e-2)
    logs = [[json.loads(line) for line in (runs / name / "log.jsonl").read_text().splitlines()] for name in ("one", "two")]
    assert [line["tokens"] for line in logs[1]] == [line["tokens"] for line in logs[0]] == [128, 256, 384]
    # The gradient is that of all processes, so its norm is the same; the losses in the log are of rank 0.
    assert [line["grad_norm"] for line in logs[1]] == pytest.approx([line["grad_norm"] for line in logs[0]], rel=0.05)
    assert json.loads((runs / "two" / "settings.json").read_text())["options"]["microbatch"] == 1
