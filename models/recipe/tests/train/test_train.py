from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recipe.data.edits import RIGHT_WEIGHT
from recipe.data.infill import in_middle
from recipe.data.tokenizer import END_OF_TEXT, FIM_END, FIM_MIDDLE, MASK_ID
from recipe.data.windows import Windows
from recipe.evaluate.evaluate import evaluate, held_out_sequences
from recipe.model.llama import Llama
from recipe.model.lora import adapter_state, add_adapters, halve_base
from recipe.train.settings import Settings
from recipe.train.train import Run
from tests.conftest import TINY, TINY_MASK
from tests.toy_tokenizer import toy_tokenizer

SETTINGS = Settings(tokens=64 * 4 * 40, minutes=1.0, length=64, warmup=2, learning_rate=2e-2, infill_rate=0.0, eval_minutes=9.0)


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
    windows = Windows([toy_corpus()], settings.length, settings.seed)
    return Run(add_adapters(model, rank=16), windows, settings, folder, None, workers)


def code_run(folder: Path, settings: Settings) -> Run:
    """A run over text, which can be rearranged."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = toy_tokenizer()
    text = [f"def f{n % 7}(x):\n    y = x + {n % 5}\n    return y\n" for n in range(400)]
    ids = [token for document in text for token in [*tokenizer.encode(document).ids, END_OF_TEXT]]
    model = Llama(replace(TINY, intermediate_size=64, vocab_size=tokenizer.get_vocab_size()), MASK_ID)
    torch.nn.init.normal_(model.embed_tokens.weight, std=0.3)
    windows = Windows([np.array(ids, dtype=np.uint16)], settings.length, settings.seed)
    return Run(add_adapters(model, rank=16), windows, settings, folder, tokenizer)


def losses_of(folder: Path) -> tuple[float, float]:
    """Mean loss of the first and of the last steps, without the causal part, which not every step has."""
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    first, last = (float(np.mean([line["masked_ce"] for line in part])) for part in (log[:8], log[-8:]))
    return first, last


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


@pytest.mark.parametrize(
    "changes",
    [
        {"draws": 1, "causal_share": 1.0, "causal_weight": 0.5},
        {"draws": 3, "causal_share": 0.0},
        {"draws": 2, "causal_share": 0.34, "head_ids": 12},
        {"soft_target": 1.0, "causal_share": 1.0},
    ],
    ids=str,
)
def test_every_way_to_weigh_the_clean_half_lowers_the_loss(tmp_path: Path, changes: dict[str, Any]) -> None:
    toy_run(tmp_path, replace(SETTINGS, **changes)).train()
    first, last = losses_of(tmp_path)
    assert last < 0.85 * first


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_a_toy_run_with_infill_lowers_its_loss(tmp_path: Path, rate: float) -> None:
    run = code_run(tmp_path, replace(SETTINGS, infill_rate=rate))
    windows = [run.data.sequence(index).ids.tolist() for index in range(60)]
    share = np.mean([FIM_MIDDLE in ids and FIM_END in ids for ids in windows])
    assert share == pytest.approx(rate, abs=0.2)
    run.train()
    first, last = losses_of(tmp_path)
    assert last < 0.85 * first


def test_the_content_of_a_hole_counts_more(tmp_path: Path) -> None:
    run = code_run(tmp_path, replace(SETTINGS, infill_rate=1.0, middle_weight=3.0))
    for index in range(10):
        sequence = run.data.sequence(index)
        assert sequence.importance is not None
        ids = sequence.ids.numpy()
        assert (sequence.importance.numpy() == np.where(in_middle(ids), 3.0, 1.0)).all()
        assert (sequence.importance == 3.0).any()


def test_the_second_stage_is_the_last_part_of_the_run(tmp_path: Path) -> None:
    run = code_run(tmp_path, replace(SETTINGS, edit_rate=1.0, stage2_share=0.5, tokens=64 * 10, batch=1, minutes=1e9))
    run.train()
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [("kept" in line) for line in log] == [False] * 5 + [True] * 5
    assert all(np.isfinite(value) for line in log for value in line.values())


def test_a_toy_run_with_edits_lowers_its_loss_and_learns_to_keep_what_is_right(tmp_path: Path) -> None:
    code_run(tmp_path, replace(SETTINGS, edit_rate=1.0, stage2_share=1.0)).train()
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    for name, factor in (("loss", 0.85), ("masked_ce", 0.85)):
        assert np.mean([line[name] for line in log[-8:]]) < factor * np.mean([line[name] for line in log[:8]])
    assert np.mean([line["kept"] for line in log[-8:]]) > np.mean([line["kept"] for line in log[:8]])


def test_edit_noise_leaves_the_other_sequences_alone(tmp_path: Path) -> None:
    plain = code_run(tmp_path / "a", replace(SETTINGS, infill_rate=0.5))
    edits = code_run(tmp_path / "b", replace(SETTINGS, infill_rate=0.5, edit_rate=0.5))
    edited = 0
    for index in range(40):
        before, first = plain.data.sequence(index), edits.data.sequence(index)
        second = edits.data.sequence(index, second_stage=True)
        assert torch.equal(before.noisy.ids, first.noisy.ids)
        assert torch.equal(before.ids, second.ids)
        if second.noisy.own is None:
            assert torch.equal(before.noisy.ids, second.noisy.ids)
        else:
            edited += 1
            assert set(second.noisy.weight.flatten().tolist()) <= {0.0, float(np.float32(RIGHT_WEIGHT)), 1.0}
            assert (second.noisy.weight > 0).sum() == second.noisy.weight.numel() * (1 - 1 / second.block)
    assert edited / 40 == pytest.approx(0.5, abs=0.25)


def test_a_toy_run_with_rounded_weights_lowers_its_loss(tmp_path: Path) -> None:
    run = code_run(tmp_path, replace(SETTINGS, qat=True))
    run.train()
    first, last = losses_of(tmp_path)
    assert last < 0.9 * first


def test_a_resumed_run_goes_on_with_its_rounding(tmp_path: Path) -> None:
    settings = replace(SETTINGS, minutes=1e9, qat=True, batch=1, draws=1)
    whole = code_run(tmp_path / "whole", settings)
    for _ in range(4):
        whole.train_step()
    first = code_run(tmp_path / "parts", settings)
    for _ in range(2):
        first.train_step()
    first.save()
    second = code_run(tmp_path / "parts", settings)
    second.resume()
    for _ in range(2):
        second.train_step()
    for name, tensor in adapter_state(whole.model).items():
        torch.testing.assert_close(adapter_state(second.model)[name], tensor, atol=1e-7, rtol=1e-5)
    plain = code_run(tmp_path / "plain", replace(settings, qat=False))
    plain.save()
    with pytest.raises(AssertionError, match="--init"):
        code_run(tmp_path / "plain", settings).resume()


def test_infill_needs_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="tokenizer"):
        toy_run(tmp_path, replace(SETTINGS, infill_rate=0.5))


def test_a_sequence_depends_on_seed_and_index_alone(tmp_path: Path) -> None:
    settings = replace(SETTINGS, infill_rate=0.5, draws=3)
    one, two = code_run(tmp_path / "a", settings), code_run(tmp_path / "b", settings)
    one.data.sequence(3)
    for index in (5, 0, 9):
        a, b = one.data.sequence(index), two.data.sequence(index)
        assert torch.equal(a.ids, b.ids)
        assert torch.equal(a.noisy.ids, b.noisy.ids)
        assert (a.block, a.causal_weight) == (b.block, b.causal_weight)
        assert a.noisy.ids.shape == (3, settings.length)
        assert a.ids.shape == (settings.length,)


def test_the_learning_rate_is_constant_until_the_decay(tmp_path: Path) -> None:
    run = toy_run(tmp_path, replace(SETTINGS, minutes=1e9, decay=0.25, batch=1, draws=1, tokens=64 * 40))
    rates = [run.train_step()["lr"] for _ in range(40)]
    assert rates[0] == pytest.approx(SETTINGS.learning_rate / 2)
    assert rates[2:30] == [SETTINGS.learning_rate] * 28
    assert rates[30:] == pytest.approx([SETTINGS.learning_rate * (10 - i) / 10 for i in range(10)])


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, workers: int, half: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recipe.train.adapter_run.fast_bfloat16", lambda: half)
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


def test_bfloat16_takes_nearly_the_step_of_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    for half in (False, True):
        monkeypatch.setattr("recipe.train.adapter_run.fast_bfloat16", lambda half=half: half)
        run = toy_run(tmp_path / str(half), replace(SETTINGS, minutes=1e9), 1)
        if half:
            halve_base(run.model)
        runs.append(run.sequence_gradient(run.data.sequence(0))[0])
    exact, rough = (torch.cat([gradient.float().flatten() for gradient in gradients]) for gradients in runs)
    assert not torch.equal(exact, rough)
    assert torch.nn.functional.cosine_similarity(exact, rough, dim=0) > 0.99


def test_a_window_with_what_comes_before_it() -> None:
    windows = Windows([np.arange(1000, dtype=np.uint16)], 10, seed=1)
    for index in range(windows.per_epoch):
        plain, wide = windows.window(index), windows.window(index, left=32)
        assert (wide[-10:] == plain).all()
        assert (np.diff(wide) == 1).all()
        assert len(wide) == min(42, int(plain[-1]) + 1)


def test_the_most_frequent_ids_are_sorted() -> None:
    parts = [np.array([7, 7, 7, 2, 2, 9, 9, 9, 9, 1], dtype=np.uint16)]
    assert Windows(parts, 2, seed=0).most_frequent(3).tolist() == [2, 7, 9]


def test_windows_visit_everything_once_an_epoch_in_an_order_of_the_seed() -> None:
    tokens = np.arange(1000, dtype=np.uint16)
    windows = Windows([tokens[:300], tokens[300:]], 10, seed=1)
    starts = [int(windows.window(i)[0]) for i in range(windows.per_epoch)]
    assert len(set(starts)) == windows.per_epoch == 99
    assert len({start % 10 for start in starts}) == 1
    again = Windows([tokens], 10, seed=1)
    assert [int(again.window(i)[0]) for i in (150, 3, 120)] == [int(windows.window(i)[0]) for i in (150, 3, 120)]
    assert int(Windows([tokens], 10, seed=2).window(0)[0]) != starts[0]
