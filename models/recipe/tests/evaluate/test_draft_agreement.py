from __future__ import annotations

import numpy as np
import pytest
import torch

from recipe.evaluate.draft_agreement import Text, drafted, engine_forwards, mean_of, own_texts, scores, tokens_per_forward
from recipe.model import attention
from recipe.model.gated import add_gated_adapters
from recipe.model.llama import Llama
from recipe.model.lora import adapter_state
from recipe.orders.rollout import rows_logits
from tests.conftest import TINY_MASK
from tests.cycle import FIRST, ROUND, circle, cycle_model


@pytest.fixture(scope="module")
def model() -> Llama:
    return cycle_model(60)


def test_means_and_errors_by_hand() -> None:
    found = mean_of(np.array([3.0, 1.0]), np.array([4.0, 4.0]))
    # The two texts are 1 above and 1 below the 2 expected: sqrt(2 * 2 / 1) / 8.
    assert found == {"n": 8, "mean": 0.5, "se": 0.25}
    assert mean_of(np.zeros(2), np.zeros(2)) == {"n": 0}


def test_forwards_by_hand() -> None:
    # Nothing right: the id at a window and the one that replaces its first draft, by turns, one a forward.
    assert engine_forwards(dict.fromkeys(range(9), 0), 0, 8, 1) == (8, 8)
    # Everything right, 2 masks: one id, then three a forward.
    assert engine_forwards(dict.fromkeys(range(20), 2), 0, 10, 2) == (10, 4)
    # One of two right at 0: ids 0 / 1 and 2 / 3, without drafts / 4, which refuses the draft.
    assert engine_forwards({0: 1, 3: 0}, 0, 5, 2) == (5, 4)


def test_windows_of_two_follow_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    right = 0.7
    agreed = dict(enumerate((rng.random(40_000) < right).astype(int).tolist()))
    tokens, forwards = engine_forwards(agreed, 0, 39_000, 1)
    assert tokens / forwards == pytest.approx(2 / (2 - right), rel=0.01)


@torch.no_grad()
def test_drafts_equal_plain_forwards(model: Llama) -> None:
    ids = torch.tensor(circle(3, 20))
    ids[11] = 30  # not the verifier's choice
    text = Text(ids, [8, 9, 13])
    greedy = rows_logits(model, model.hidden(ids[None], torch.arange(20), attention.causal)[0]).argmax(-1)
    [found] = drafted(model, [model], text)
    row = 0
    for masks in (1, 2, 3):
        for start in text.starts:
            window = torch.cat([ids[:start], torch.full((masks,), TINY_MASK)])[None]
            mask = attention.prefix_block_mask(start, masks)
            p = rows_logits(model, model.hidden(window, torch.arange(start + masks), attention.dense(mask))[0, start:]).softmax(-1)
            for place in range(masks):
                assert [bool(found.rows(m, k)[row]) for m in (1, 2, 3) for k in range(m)].count(True) == 1
                assert bool(found.rows(masks, place)[row])
                assert bool(found.right[row]) == bool(p[place].argmax() == greedy[start + place])
                assert float(found.confidence[row]) == pytest.approx(float(p[place].max()), rel=1e-4)
                assert bool(found.branch[row]) == all(int(ids[i]) == int(greedy[i - 1]) for i in range(start, start + place + 1))
                row += 1
    assert row == len(found.right)


def test_own_text_is_on_the_branch_and_gains_are_paired(model: Llama) -> None:
    parts = {"toy": (FIRST + np.arange(4000) % ROUND).astype(np.uint16)}
    texts = own_texts(model, parts, 3, 40)
    # The toy goes round for ever: its text is cut where it has gone round once.
    assert all(len(text.ids) < 64 + 3 * ROUND for text in texts)
    other = add_gated_adapters(model, rank=2)
    torch.manual_seed(5)
    for tensor in adapter_state(other).values():
        tensor.copy_(0.5 * torch.randn(tensor.shape))
    before, found = zip(*(drafted(model, [model, other], text) for text in texts), strict=True)
    table, alone = scores(found, before), scores(before, before)
    assert table["masks 3 position 4 off"] == {"n": 0}
    for key in ("masks 1 position 2 on", "masks 2 position 3 on"):
        entry = table[key]
        assert entry["n"] == alone[key]["n"] == sum(len(text.starts) for text in texts)
        assert entry["mean"] < alone[key]["mean"]
        assert entry["gain_mean"] == pytest.approx(entry["mean"] - alone[key]["mean"], abs=2e-4)
        assert alone[key]["gain_mean"] == alone[key]["gain_se"] == 0
    assert 1.0 <= tokens_per_forward(texts, found)["masks 1"] <= tokens_per_forward(texts, before)["masks 1"] <= 2.0
