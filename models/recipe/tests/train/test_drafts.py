from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from recipe.data.windows import Windows
from recipe.model import attention
from recipe.model.gated import GatedLlama, add_gated_adapters
from recipe.model.llama import Llama
from recipe.model.lora import adapter_state
from recipe.model.window_attention import DraftWindows, windows_hidden, windows_mask
from recipe.train.draft_objective import windows_loss
from recipe.train.draft_states import MOST_MASKS, branch_first, draw_windows, on_branch, row_weights
from recipe.train.drafts import DraftRun, DraftSettings
from recipe.train.objective import Head, clean_half
from tests.conftest import TINY_MASK
from tests.cycle import FIRST, ROUND, cycle_model

LENGTH = 32


def windows(starts: list[int], lengths: list[int]) -> DraftWindows:
    return DraftWindows(torch.tensor(starts), torch.tensor(lengths))


def gated(base: Llama) -> GatedLlama:
    """Adapters that are not the identity."""
    model = add_gated_adapters(base, rank=2)
    torch.manual_seed(5)
    for tensor in adapter_state(model).values():
        tensor.copy_(0.2 * torch.randn(tensor.shape))
    return model


def test_rows_of_windows_by_hand() -> None:
    three = windows([5, 2, 9], [2, 3, 1])
    assert three.window.tolist() == [0, 0, 1, 1, 1, 2]
    assert three.first_row.tolist() == [0, 0, 2, 2, 2, 5]
    assert three.offset.tolist() == [0, 1, 0, 1, 2, 0]
    assert three.position.tolist() == [5, 6, 2, 3, 4, 9]


def test_windows_stand_at_every_phase_with_every_length_and_end_in_the_text() -> None:
    starts, lengths = Counter[int](), Counter[int]()
    for seed in range(400):
        drawn = draw_windows(LENGTH, 10, np.random.default_rng(seed))
        assert len(set(drawn.start.tolist())) == 10
        assert int((drawn.start + drawn.length).max()) <= LENGTH
        starts.update(drawn.start.tolist())
        lengths.update(drawn.length.tolist())
    assert set(starts) == set(range(1, LENGTH - MOST_MASKS + 1))
    # 4,000 windows: 138 a phase and 1,333 a length, with a standard deviation of 10 and 30.
    assert max(abs(count - 4000 / 29) for count in starts.values()) < 45
    assert set(lengths) == {1, 2, 3}
    assert max(abs(count - 4000 / 3) for count in lengths.values()) < 120
    assert len(draw_windows(LENGTH, 99, np.random.default_rng(0)).start) == LENGTH - MOST_MASKS


def test_the_branch_and_the_weights_by_hand() -> None:
    ids = torch.tensor([7, 8, 9, 10, 11, 12])
    #                   after: 7  8   9   10  11  12. The verifier would not have written 10 at position 3.
    greedy = torch.tensor([8, 9, 20, 11, 12, 13])
    three = windows([1, 3, 2, 4], [3, 2, 1, 2])
    branch = on_branch(ids, greedy, three)
    assert branch.tolist() == [True, True, False, False, False, True, True, True]
    weights = row_weights(three, branch, 0.8, 0.1)
    assert weights.tolist() == pytest.approx([1, 0.8, 0.064, 0.1, 0.08, 1, 1, 0.8])


def test_windows_on_the_branch_come_first_and_keep_their_order() -> None:
    ids = torch.tensor([7, 8, 9, 10, 11, 12])
    greedy = torch.tensor([8, 9, 20, 11, 20, 13])
    five = windows([3, 4, 5, 2, 1], [1, 2, 1, 3, 2])  # the verifier would not have written positions 3 and 5
    for count, starts in ((2, [4, 2]), (4, [4, 2, 1, 3]), (9, [4, 2, 1, 3, 5])):
        assert branch_first(ids, greedy, five, count).start.tolist() == starts
    assert branch_first(ids, greedy, five, 3).length.tolist() == [2, 3, 2]


@torch.no_grad()
def test_windows_over_kept_keys_equal_a_dense_mask(tiny: Llama) -> None:
    torch.manual_seed(2)
    model = gated(tiny)
    ids = torch.randint(4, 40, (LENGTH,))
    drawn = draw_windows(LENGTH, 12, np.random.default_rng(1))
    rows = len(drawn.window)
    joint = torch.cat([torch.full((rows,), TINY_MASK), ids])[None]
    positions = torch.cat([drawn.position, torch.arange(LENGTH)])
    dense = model.hidden(joint, positions, attention.dense(windows_mask(drawn, LENGTH)))[0]
    clean, kept = clean_half(model, ids, through_clean=False)
    torch.testing.assert_close(windows_hidden(model, drawn, kept), dense[:rows], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(clean, dense[rows:], atol=1e-5, rtol=1e-4)


def one_by_one(model: Llama, head: Head, ids: Tensor, drawn: DraftWindows) -> tuple[Tensor, Tensor]:
    """(loss, weights [R]) with one plain forward [prefix | masks] a window, and the verifier run alone on each prefix."""
    losses, weights = [], []
    banned = torch.tensor([i for i in range(len(head.weight)) if i not in {*head.common.tolist(), *ids.tolist()}])

    def logits(hidden: Tensor) -> Tensor:
        return model.logits(hidden).index_fill(-1, banned, float("-inf"))

    for start, length in zip(drawn.start.tolist(), drawn.length.tolist(), strict=True):
        text = torch.cat([ids[:start], torch.full((length,), TINY_MASK)])[None]
        mask = attention.prefix_block_mask(start, length)
        hidden = model.hidden(text, torch.arange(start + length), attention.dense(mask))[0, start:]
        agreed = True
        for offset in range(length):
            end = start + offset
            with torch.no_grad():
                before, after = (
                    int(logits(model.hidden(ids[None, :n], torch.arange(n), attention.causal)[0, -1]).argmax()) for n in (end, end + 1)
                )
            agreed = agreed and before == int(ids[end])
            weights.append(0.8**offset * (1.0 if agreed else 0.1))
            losses.append(F.cross_entropy(logits(hidden[offset])[None], torch.tensor([after])))
    weight = torch.tensor(weights)
    return (torch.stack(losses) * weight).sum() / weight.sum(), weight


def test_loss_and_gradient_equal_one_forward_a_window() -> None:
    torch.manual_seed(3)
    model = gated(cycle_model(60))
    ids = FIRST + torch.arange(LENGTH) % ROUND
    ids[[6, 17, 18]] = 30  # the verifier would not have written these
    head = Head(model.embed_tokens.weight.detach(), torch.tensor([1, TINY_MASK, 6, *range(8, 14)]), TINY_MASK)
    drawn = draw_windows(LENGTH, 20, np.random.default_rng(4))
    reference, weights = one_by_one(model, head, ids, drawn)
    assert {1.0, 0.8} < {round(w, 3) for w in weights.tolist()}
    assert min(weights.tolist()) < 0.11
    ours = windows_loss(model, head, ids, drawn, 0.8, 0.1)
    torch.testing.assert_close(ours.total, reference, atol=1e-5, rtol=1e-4)
    trained = list(adapter_state(model))
    parameters = [dict(model.named_parameters())[name] for name in trained]
    for got, expected in zip(torch.autograd.grad(ours.total, parameters), torch.autograd.grad(reference, parameters), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-3)


SETTINGS = DraftSettings(
    tokens=LENGTH * 4 * 60, batch=4, length=LENGTH, rank=8, learning_rate=1e-2, warmup=2, windows=16, infill_rate=0.0, seed=3
)


def circles() -> Windows:
    """The language of the toy model, in texts that start anywhere."""
    return Windows([(FIRST + np.arange(100 * LENGTH) % ROUND).astype(np.uint16)], LENGTH, 0)


def toy_run(folder: Path, base: Llama, settings: DraftSettings = SETTINGS, own: np.ndarray | None = None) -> DraftRun:
    torch.manual_seed(0)
    return DraftRun(add_gated_adapters(base, settings.rank, settings.scale), circles(), settings, folder, None, own=own)


@pytest.fixture(scope="module")
def base() -> Llama:
    """Sure of its text; it has never seen a mask."""
    return cycle_model(60, drafts=False)


def agreement(model: Llama) -> list[float]:
    """By place in a window of three, on text that the verifier has written."""
    ids = FIRST + torch.arange(LENGTH) % ROUND
    places = windows(list(range(8, LENGTH - 3)), [3] * (LENGTH - 11))
    with torch.no_grad():
        return windows_loss(model, Head.whole(model), ids, places, 0.8, 0.1).agreement


def test_drafts_of_a_toy_are_learned_and_the_verifier_stays(tmp_path: Path, base: Llama) -> None:
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    run = toy_run(tmp_path, base)
    weak = agreement(run.model)
    run.train()
    assert max(weak) < 0.5
    assert min(agreement(run.model)) > 0.95
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.state_dict().items())
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["tokens"] == SETTINGS.tokens
    assert log[-1]["lr"] < 0.05 * SETTINGS.learning_rate
    assert any("masked_ce" in line for line in log)
    assert sum("draft2" in line for line in log) > 0.9 * len(log)
    assert (tmp_path / "adapter.safetensors").exists()


def test_a_run_by_branch_has_fewer_rows_off_it(tmp_path: Path, base: Llama) -> None:
    own = np.array([FIRST + np.where(np.arange(LENGTH) % 3 == seed, 30, np.arange(LENGTH) % ROUND) for seed in range(3)], dtype=np.uint16)
    shares = []
    for by_branch in (False, True):
        settings = replace(SETTINGS, branch_first=by_branch, drafts_share=1.0, own_share=1.0, windows=8)
        run = toy_run(tmp_path, base, settings, own)
        shares.append(np.mean([run.text_gradient(run.data.text(index))[1]["on_branch"] for index in range(20)]))
    assert shares[1] > shares[0] + 0.1


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path, base: Llama) -> None:
    short = replace(SETTINGS, tokens=LENGTH * 4 * 6)
    whole = toy_run(tmp_path / "whole", base, short)
    whole.train()
    first = toy_run(tmp_path / "parts", base, short)
    for _ in range(3):
        first.train_step()
    first.save()
    second = toy_run(tmp_path / "parts", base, short)
    second.resume()
    second.train()
    assert second.step == whole.step == 6
    assert all(torch.equal(tensor, adapter_state(second.model)[name]) for name, tensor in adapter_state(whole.model).items())


def test_both_objectives_see_the_same_texts_in_the_same_order(tmp_path: Path, base: Llama) -> None:
    own = np.full((3, LENGTH), 9, dtype=np.uint16)
    texts = {}
    for share in (0.0, 0.8, 1.0):
        run = toy_run(tmp_path, base, replace(SETTINGS, drafts_share=share, own_share=0.5), own)
        drawn = [run.data.text(index) for index in range(200)]
        texts[share] = [sequence.ids.tolist() for sequence, _ in drawn]
        assert np.mean([found is not None for _, found in drawn]) == pytest.approx(share, abs=0.1 if share == 0.8 else 0)
        assert np.mean([sequence.ids.tolist() == [9] * LENGTH for sequence, _ in drawn]) == pytest.approx(0.5, abs=0.12)
    assert texts[0.0] == texts[0.8] == texts[1.0]
