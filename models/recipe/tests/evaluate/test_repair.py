from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from recipe.data.edits import Confusions
from recipe.evaluate.repair import BLOCK, COUNTS, FALSE_ALARMS, area_under_curve, corrupted, predictions, recall_at, repair_scores
from recipe.model import attention
from recipe.model.llama import Llama
from tests.conftest import TINY, TINY_MASK

CONFUSIONS = Confusions(np.array([0] * 17 + [1] * 11 + [2] * 12), np.arange(17, 40))
IDS = np.random.default_rng(0).integers(17, 40, 48)


@pytest.mark.parametrize("count", COUNTS)
def test_every_block_but_the_first_has_that_many_wrong_tokens(count: int) -> None:
    noisy = corrupted(IDS, count, CONFUSIONS, np.random.default_rng(1))
    wrong = (noisy != IDS).reshape(-1, BLOCK)
    assert wrong.sum(axis=1).tolist() == [0] + [count] * 5
    assert not wrong[:, 0].any()
    assert (CONFUSIONS.kinds[noisy] == CONFUSIONS.kinds[IDS]).all()


def test_area_under_curve() -> None:
    scores = np.array([0.1, 0.4, 0.35, 0.8])
    positive = np.array([False, False, True, True])
    assert area_under_curve(scores, positive) == pytest.approx(0.75)
    assert area_under_curve(np.zeros(4), positive) == pytest.approx(0.5)
    assert area_under_curve(-scores, positive) == pytest.approx(0.25)
    rng = np.random.default_rng(0)
    many, which = rng.integers(0, 9, 60).astype(float), rng.random(60) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in many[which] for b in many[~which]]
    assert area_under_curve(many, which) == pytest.approx(float(np.mean(pairs)))


def test_probabilities_leave_the_mask_out(tiny: Llama) -> None:
    hidden, seen = torch.randn(6, 32), torch.randint(4, 40, (6,))
    best, confidence, visible = predictions(tiny, hidden, seen)
    logits = tiny.logits(hidden).detach()
    logits[:, TINY_MASK] = -1e9
    assert best.tolist() == logits.argmax(-1).tolist()
    torch.testing.assert_close(confidence, logits.softmax(-1).max(-1).values)
    torch.testing.assert_close(visible, logits.softmax(-1)[torch.arange(6), seen])


def scores_of(model: Llama, monkeypatch: pytest.MonkeyPatch, logits_of: Callable[[int, Tensor], Tensor]) -> dict[str, float]:
    """Scores when every row of the noisy half is `logits_of(position, visible id)`."""
    ids = torch.from_numpy(IDS)

    def noisy_half(_: Llama, noisy: Tensor, kept: attention.Layers, block: int) -> Tensor:
        versions = [[logits_of(i, version[i]) for i in range(1, len(ids))] for version in noisy]
        return torch.stack([torch.stack([*rows, torch.zeros(40)]) for rows in versions])

    monkeypatch.setattr("recipe.evaluate.repair.noisy_half", noisy_half)
    monkeypatch.setattr(model, "logits", lambda hidden: hidden.clone())
    return repair_scores(model, [ids], CONFUSIONS)


def one_hot(index: int | Tensor) -> Tensor:
    return 20.0 * torch.nn.functional.one_hot(torch.tensor(int(index)), 40)


def test_a_model_that_knows_everything(tiny: Llama, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = scores_of(tiny, monkeypatch, lambda position, visible: one_hot(IDS[position]))
    assert scores["repair_auc"] == 1
    assert [scores[f"repair{count}_fixed_90"] for count in COUNTS] == [1] * 4
    assert (scores["repair_kept_50"], scores["repair_corrected_50"]) == (1, 1)


def test_a_model_that_copies(tiny: Llama, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = scores_of(tiny, monkeypatch, lambda position, visible: one_hot(visible))
    assert scores["repair_auc"] == pytest.approx(0.5)
    assert [scores[f"repair{count}_fixed_50"] for count in COUNTS] == [0] * 4
    assert (scores["repair_kept_50"], scores["repair_corrected_50"]) == (1, 0)


def test_a_model_that_is_not_sure_enough(tiny: Llama, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows the right token with p = 0.7: replaced at the lower threshold only."""

    def logits_of(position: int, visible: Tensor) -> Tensor:
        probability = torch.full((40,), 0.3 / 38)
        probability[IDS[position]] = 0.7
        return probability.log()

    scores = scores_of(tiny, monkeypatch, logits_of)
    assert (scores["repair2_fixed_50"], scores["repair2_fixed_90"]) == (1, 0)
    assert (scores["repair_kept_50"], scores["repair_kept_90"]) == (1, 1)
    assert scores["repair_auc"] == 1


def test_a_real_model_runs(tiny: Llama) -> None:
    scores = repair_scores(tiny, [torch.from_numpy(IDS)] * 2, CONFUSIONS)
    assert len(scores) == 1 + 2 * len(FALSE_ALARMS) + 2 * (2 + len(COUNTS))
    assert all(0 <= value <= 1 for value in scores.values())
    assert TINY.vocab_size == len(CONFUSIONS.kinds)


def test_recall_at_a_share_of_false_alarms_by_hand() -> None:
    visible = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.05, 0.15, 0.45])
    wrong = np.array([False] * 5 + [True] * 3)
    assert list(recall_at(visible, wrong, 0.25)) == pytest.approx([0.2, 2 / 3])
    assert list(recall_at(visible, wrong, 0.0)) == pytest.approx([0.1, 1 / 3])
