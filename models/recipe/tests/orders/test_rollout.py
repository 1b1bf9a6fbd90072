from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from recipe.model import attention
from recipe.model.llama import Llama
from recipe.orders.policy_gradient import advantages, decisions, divergence, log_probability, states
from recipe.orders.rollout import Rollouts, fixed, reveal_log_odds, roll_out, rows_logits, soft_threshold, threshold
from recipe.orders.surrogate import inverse_distance, levenshtein, points
from tests.conftest import TINY_MASK


def greedy(model: Llama, prompt: list[int], length: int) -> list[int]:
    """One token after the other, the whole text run every time."""
    ids = list(prompt)
    for _ in range(length):
        hidden = model.hidden(torch.tensor([ids]), torch.arange(len(ids)), attention.causal)
        ids.append(int(rows_logits(model, hidden[0, -1]).argmax()))
    return ids[len(prompt) :]


def block_logits(model: Llama, text: list[int], canvas: Tensor) -> Tensor:
    """Logits [B, V] of a canvas [B] after a text, by one dense forward."""
    ids = torch.cat([torch.tensor(text), canvas])
    mask = attention.prefix_block_mask(len(text), len(canvas))
    return rows_logits(model, model.hidden(ids[None], torch.arange(len(ids)), attention.dense(mask))[0, len(text) :])


@torch.no_grad()
def test_block_one_is_greedy_decoding(tiny: Llama) -> None:
    prompts = torch.tensor([[5, 6, 7, 8], [9, 4, 12, 30]])
    got = roll_out(tiny, prompts, 6, 1, threshold(0.9))
    assert got.ids.tolist() == [greedy(tiny, prompt, 6) for prompt in prompts.tolist()]
    assert got.steps.tolist() == [6, 6]
    assert not got.forced.any()


@torch.no_grad()
def test_a_block_in_one_step_is_what_a_dense_forward_says(tiny: Llama) -> None:
    prompt = [5, 6, 7, 8]
    got = roll_out(tiny, torch.tensor([prompt]), 8, 4, fixed(1))
    assert got.decided.tolist() == [[1] * 8]
    text = list(prompt)
    for _ in range(2):
        logits = block_logits(tiny, text, torch.full((4,), TINY_MASK))
        text = [*text, *greedy(tiny, text, 1), *logits[:3].argmax(-1).tolist()]
    assert got.ids.tolist() == [text[4:]]


@torch.no_grad()
def test_a_threshold_decides_what_passes_it_and_else_the_surest(tiny: Llama) -> None:
    prompts = torch.tensor([[5, 6, 7, 8], [9, 4, 12, 30], [1, 2, 20, 21]])
    tau = 0.3
    got = roll_out(tiny, prompts, 8, 4, threshold(tau))
    assert got.forced.any()
    assert (~got.forced & (got.decided > 1)).any() or (got.decided == 1).sum() > 6
    for prompt, ids, decided, forced in zip(prompts.tolist(), got.ids, got.decided, got.forced, strict=True):
        for start in (0, 4):
            block, at, pushed = ids[start : start + 4], decided[start : start + 4], forced[start : start + 4]
            for step in range(1, int(at.max()) + 1):
                canvas = torch.where(at < step, block, TINY_MASK)
                logits = block_logits(tiny, [*prompt, *ids[:start].tolist()], canvas)[:3]
                confidence, choice = logits.softmax(-1).max(-1)
                now = at[1:] == step
                assert (choice[now] == block[1:][now]).all()
                assert (confidence[now & ~pushed[1:]] >= tau).all()
                assert (confidence[(at[1:] > step) | (now & pushed[1:])] < tau).all()


@pytest.mark.parametrize(("steps", "counts"), [(1, [4]), (2, [2, 2]), (3, [2, 1, 1]), (4, [1, 1, 1, 1])])
def test_a_fixed_number_of_steps_is_kept(tiny: Llama, steps: int, counts: list[int]) -> None:
    got = roll_out(tiny, torch.tensor([[5, 6, 7, 8]]), 8, 4, fixed(steps))
    assert [int((got.decided[0, :4] == step).sum()) for step in range(1, steps + 1)] == counts
    assert got.steps.tolist() == [2 * steps]


def test_steps_of_the_whole_continuation_by_hand() -> None:
    decided = torch.tensor([[1, 2, 2, 1, 1, 1, 3, 2], [1, 1, 1, 1, 1, 2, 1, 1]])
    rollouts = Rollouts(decided, decided, decided == 0, 4)
    assert rollouts.steps.tolist() == [5, 3]
    assert rollouts.global_steps().tolist() == [[1, 2, 2, 1, 3, 3, 5, 4], [1, 1, 1, 1, 2, 3, 2, 2]]


def test_the_odds_of_deciding() -> None:
    confidence = torch.tensor([0.9, 0.99, 0.5])
    odds = reveal_log_odds(confidence, 0.9, 0.5).sigmoid()
    assert odds.tolist() == pytest.approx([0.5, 121 / 122, 1 / 82], rel=1e-3)
    generator = torch.Generator().manual_seed(0)
    policy = soft_threshold(0.9, 0.5, generator)
    masked = torch.ones(4000, 3, dtype=torch.bool)
    assert policy(confidence.expand(4000, 3), masked, 1).float().mean(0).tolist() == pytest.approx(odds.tolist(), abs=0.03)


def test_levenshtein_by_hand() -> None:
    a = np.array([[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 8]])
    b = np.array([[1, 2, 3, 4], [2, 3, 4, 5], [1, 9, 3, 9], [1, 2, 3, 4]])
    assert levenshtein(a, b).tolist() == [0, 2, 2, 4]
    assert levenshtein(np.array([[1, 2, 3]]), np.array([[1, 3]])).tolist() == [1]


def test_surrogate_of_hand_worked_trajectories() -> None:
    ids = np.array([10, 11, 12, 13])
    one_step = points(ids, np.array([1, 1, 1, 1]), 0)
    assert one_step.tolist() == [[0, 0, 0, 0], [10, 11, 12, 13]]
    assert inverse_distance(one_step) == 0.25
    two_steps = points(ids, np.array([1, 2, 1, 2]), 0)
    assert two_steps.tolist() == [[0, 0, 0, 0], [10, 0, 12, 0], [10, 11, 12, 13]]
    # Distances 2, 2.
    assert inverse_distance(two_steps) == pytest.approx(1 / 2)
    four_steps = points(ids, np.array([1, 2, 3, 4]), 0)
    assert inverse_distance(four_steps) == 1.0
    # Proportional to the number of equal steps.
    for steps in (1, 2, 4, 8, 16, 32):
        equal = points(np.arange(10, 42), np.arange(32) * steps // 32 + 1, 0)
        assert inverse_distance(equal) == pytest.approx(steps / 32)


def test_advantages_by_hand() -> None:
    assert advantages(torch.tensor([1.0, 1.0, 1.0])).tolist() == [0, 0, 0]
    assert advantages(torch.tensor([0.0, 2.0])).tolist() == pytest.approx([-1 / 1.01, 1 / 1.01])


def test_states_of_a_rollout_by_hand() -> None:
    ids = torch.arange(10, 18)
    canvas, open_ = states(ids, torch.tensor([1, 1, 3, 2, 1, 1, 1, 1]), 4, 0)
    assert canvas.tolist() == [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [10, 11, 0, 0, 14, 15, 16, 17],
        [10, 11, 0, 13, 14, 15, 16, 17],
    ]
    assert open_.int().tolist() == [[0, 1, 1, 1, 0, 1, 1, 1], [0, 0, 1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_log_probability_is_that_of_every_decision(tiny: Llama, temperature: float) -> None:
    tau, softness = 0.5, 0.8
    generator = torch.Generator().manual_seed(3)
    prompt = [5, 6, 7, 8, 9]
    got = roll_out(tiny, torch.tensor([prompt]), 8, 4, soft_threshold(tau, softness, generator), temperature, generator)
    assert got.forced.any()
    text = torch.tensor([[*prompt, *got.ids[0].tolist()]])
    kept: attention.Layers = []
    with torch.no_grad():
        tiny.hidden(text, torch.arange(13), attention.causal_keeping(kept))
    made = decisions(tiny, kept, got.ids[0], got.decided[0], 4)
    ours = log_probability(made, got.ids[0], got.forced[0], tau, softness, temperature)
    expected = 0.0
    with torch.no_grad():
        for start in (0, 4):
            block, at, pushed = (t[0, start : start + 4] for t in (got.ids, got.decided, got.forced))
            for step in range(1, int(at.max()) + 1):
                logits = block_logits(tiny, text[0, : 5 + start].tolist(), torch.where(at < step, block, TINY_MASK))
                for j in range(1, 4):
                    if at[j] < step:
                        continue
                    p = float(logits[j - 1].softmax(-1).max())
                    chance = 1 / (1 + ((1 - p) / p * tau / (1 - tau)) ** (1 / softness))
                    expected += float(np.log(chance if at[j] == step and not pushed[j] else 1 - chance))
                    if temperature and at[j] == step:
                        expected += float((logits[j - 1] / temperature).log_softmax(-1)[block[j]])
    assert float(ours.detach()) == pytest.approx(expected, rel=1e-4)


def test_divergence_by_hand() -> None:
    minus = float("-inf")
    reference = torch.tensor([[0.75, 0.25]]).log()
    model = torch.tensor([[0.5, 0.5]]).log().requires_grad_()
    expected = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    assert float(divergence(reference, model).detach()) == pytest.approx(expected, rel=1e-5)
    hidden = torch.tensor([[minus]])
    wide = torch.cat([model, hidden], dim=1)
    value = divergence(torch.cat([reference, hidden], dim=1), wide)
    value.backward()  # type: ignore[no-untyped-call]
    assert float(value.detach()) == pytest.approx(expected, rel=1e-5)
    assert model.grad is not None
    assert model.grad[0].tolist() == pytest.approx([-0.25, 0.25])
