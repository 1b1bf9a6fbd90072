from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recipe.data import Windows
from recipe.evaluate import evaluate, held_out_sequences
from recipe.llama import Llama
from recipe.lora import adapter_state, add_adapters
from recipe.train import Run, Settings
from tests.conftest import TINY, TINY_MASK

SETTINGS = Settings(tokens=64 * 4 * 40, minutes=1.0, length=64, warmup=2, learning_rate=2e-2, eval_minutes=9.0)


def toy_corpus() -> NDArray[np.uint16]:
    """A language of three repeating phrases: easy to learn in seconds."""
    rng = np.random.default_rng(0)
    phrases = [[5, 6, 7, 8, 9], [10, 11, 12], [13, 14, 15, 16, 17, 18]]
    return np.array([t for _ in range(800) for t in phrases[rng.integers(3)]], dtype=np.uint16)


def toy_run(folder: Path, settings: Settings = SETTINGS, workers: int = 1) -> Run:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Llama(TINY, TINY_MASK)
    torch.nn.init.normal_(model.embed_tokens.weight, std=0.3)
    return Run(add_adapters(model, rank=16), Windows([toy_corpus()], settings.length, settings.seed), settings, folder, workers)


def test_a_toy_run_lowers_its_loss_and_ends_by_itself(tmp_path: Path) -> None:
    run = toy_run(tmp_path)
    run.train()
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    first, last = (np.mean([line["masked_ce"] + line["causal_ce"] for line in part]) for part in (log[:5], log[-5:]))
    assert last < 0.8 * first
    assert log[-1]["tokens"] == SETTINGS.tokens
    assert log[-1]["lr"] < 0.05 * SETTINGS.learning_rate
    assert (tmp_path / "adapter.safetensors").exists()
    scores = evaluate(run.model, held_out_sequences({"toy": toy_corpus()}, 2, 64))
    assert scores["causal_accuracy"] > 0.2
    assert set(scores) >= {"causal_ce", "half_masked_accuracy", "lookahead2_accuracy", "lookahead2_known_accuracy"}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, workers: int) -> None:
    # The wall clock is taken out of the schedule: it alone cannot be repeated.
    settings = replace(SETTINGS, minutes=1e9)
    whole = toy_run(tmp_path / "whole", settings, workers)
    for _ in range(4):
        whole.train_step()
    first = toy_run(tmp_path / "parts", settings, workers)
    for _ in range(2):
        first.train_step()
    first.save()
    second = toy_run(tmp_path / "parts", settings, workers)
    second.resume()
    for _ in range(2):
        second.train_step()
    assert second.tokens == whole.tokens
    for name, tensor in adapter_state(whole.model).items():
        torch.testing.assert_close(adapter_state(second.model)[name], tensor, atol=1e-7, rtol=1e-5)


def test_windows_visit_everything_once_an_epoch_in_an_order_of_the_seed() -> None:
    tokens = np.arange(1000, dtype=np.uint16)
    windows = Windows([tokens[:300], tokens[300:]], 10, seed=1)
    starts = [int(windows.window(i)[0]) for i in range(windows.per_epoch)]
    assert len(set(starts)) == windows.per_epoch == 99
    assert len({start % 10 for start in starts}) == 1
    again = Windows([tokens], 10, seed=1)
    assert [int(again.window(i)[0]) for i in (150, 3, 120)] == [int(windows.window(i)[0]) for i in (150, 3, 120)]
    assert int(Windows([tokens], 10, seed=2).window(0)[0]) != starts[0]
