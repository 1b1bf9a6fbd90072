from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from recipe.data.edits import MAX_SHARE, RIGHT_WEIGHT, SPECIAL, Confusions, edit, edit_noise, token_kinds
from recipe.data.tokenizer import FIM_MIDDLE, MASK_ID
from recipe.train.noise import draw_mask
from tests.toy_tokenizer import toy_tokenizer

Ids = NDArray[np.int64]
TOKENIZER = toy_tokenizer()
TEXT = "def area(w, h):\n    return w * h + 12 - x[3]\n\nprint(area(2, 5) / 7)\n" * 4
IDS = np.array(TOKENIZER.encode(TEXT).ids[:192], dtype=np.int64)
CONFUSIONS = Confusions(token_kinds(TOKENIZER), np.arange(TOKENIZER.get_vocab_size()))
BLOCK = 8


def edited(monkeypatch: pytest.MonkeyPatch, operation: str, seed: int, own: float = 0.0) -> tuple[Ids, Ids]:
    """Ids and own guesses after operations of one kind."""
    weights = tuple(float(name == operation) for name in ("substitute", "delete", "insert"))
    monkeypatch.setattr("recipe.data.edits.OPERATION_WEIGHTS", weights)
    monkeypatch.setattr("recipe.data.edits.OWN_GUESS", own)
    result = edit(IDS, BLOCK, CONFUSIONS, np.random.default_rng(seed))
    return result.ids, result.own


def kind_of(text: str) -> int:
    return int(CONFUSIONS.kinds[TOKENIZER.token_to_id(text)])


def test_kinds_of_tokens() -> None:
    assert kind_of("a") == kind_of("Z") == kind_of("_") == kind_of("in")
    assert len({kind_of(token) for token in ("a", "7", "+", "Ċ", "<|mask|>", "Ġ=")}) == 6
    assert kind_of("+") == kind_of("(") != kind_of("Ġ=")
    assert kind_of("é") == kind_of("<|mask|>"), "a piece of a character has nothing to be confused with"


def test_substitutes_are_of_the_same_kind_and_different() -> None:
    rng = np.random.default_rng(0)
    for token in IDS[:60]:
        for _ in range(5):
            other = CONFUSIONS.substitute(int(token), IDS, rng)
            assert other != token
            assert CONFUSIONS.kinds[other] == CONFUSIONS.kinds[token]
            assert other >= SPECIAL
    only = np.array([TOKENIZER.token_to_id("7")])
    assert Confusions(CONFUSIONS.kinds, only).substitute(int(only[0]), only, rng) == only[0]
    text_only = Confusions(CONFUSIONS.kinds, only)
    digits = {text_only.substitute(int(only[0]), IDS, rng) for _ in range(80)}
    assert digits == {TOKENIZER.token_to_id(digit) for digit in "1235"}, "what the text has, when the list has nothing else"


@pytest.mark.parametrize("seed", range(12))
def test_a_substitution_keeps_everything_else(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    noisy, own = edited(monkeypatch, "substitute", seed)
    assert not own.any()
    changed = np.flatnonzero(noisy != IDS)
    assert len(changed) <= int(len(IDS) * MAX_SHARE)
    assert (changed % BLOCK != 0).all()
    assert MASK_ID not in noisy


@pytest.mark.parametrize("seed", range(12))
def test_a_deletion_pulls_a_mask_into_the_end_of_its_block(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    noisy, _ = edited(monkeypatch, "delete", seed)
    for before, after in zip(IDS.reshape(-1, BLOCK).tolist(), noisy.reshape(-1, BLOCK).tolist(), strict=True):
        masks = after.count(MASK_ID)
        assert after[BLOCK - masks :] == [MASK_ID] * masks
        rest = iter(before)
        assert all(token in rest for token in after[: BLOCK - masks]), "what is left keeps its order"
        assert before[0] == after[0]


@pytest.mark.parametrize("seed", range(12))
def test_an_insertion_pushes_the_last_token_of_its_block_out(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(Confusions, "substitute", lambda *_: 999)
    noisy, _ = edited(monkeypatch, "insert", seed)
    for before, after in zip(IDS.reshape(-1, BLOCK).tolist(), noisy.reshape(-1, BLOCK).tolist(), strict=True):
        inserted = after.count(999)
        assert [token for token in after if token != 999] == before[: BLOCK - inserted]
        assert before[0] == after[0]


def test_own_guesses_replace_substitutes(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for seed in range(30):
        noisy, own = edited(monkeypatch, "substitute", seed, own=1.0)
        assert (noisy == IDS).all()
        assert set(np.unique(own)) <= {0, 1, 2, 3}
        assert not own[::BLOCK].any()
        counts.append(int((own > 0).sum()))
    assert max(counts) <= int(len(IDS) * MAX_SHARE)
    assert 2 < np.mean(counts) < len(IDS) * MAX_SHARE / 2


def test_special_tokens_stay_where_they_are() -> None:
    ids = IDS.copy()
    ids[5::BLOCK] = FIM_MIDDLE
    for seed in range(40):
        noisy = edit(ids, BLOCK, CONFUSIONS, np.random.default_rng(seed)).ids
        assert (noisy[5::BLOCK] == FIM_MIDDLE).all()
        assert (noisy == FIM_MIDDLE).sum() == len(ids) // BLOCK


def test_weights_and_masks_of_a_noisy_version() -> None:
    unmasked, wrong, blocks = 0, 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        mask = draw_mask(len(IDS), BLOCK, rng)
        noisy, weight = edit_noise(IDS, mask, BLOCK, CONFUSIONS, rng)
        assert not weight[::BLOCK].any()
        right = (noisy.ids == IDS) & (noisy.own == 0)
        counted = np.arange(len(IDS)) % BLOCK != 0
        assert (weight[counted & right] == np.float32(RIGHT_WEIGHT)).all()
        assert (weight[counted & ~right] == 1).all()
        assert not noisy.own[noisy.ids == MASK_ID].any()
        hidden = (noisy.ids == MASK_ID).reshape(-1, BLOCK)
        unmasked += int((~hidden.any(axis=1)).sum())
        blocks += len(hidden)
        wrong += int((~right & (noisy.ids != MASK_ID)).sum())
        again = np.random.default_rng(seed)
        assert (edit_noise(IDS, draw_mask(len(IDS), BLOCK, again), BLOCK, CONFUSIONS, again)[0].ids == noisy.ids).all()
    assert 0.35 < unmasked / blocks < 0.6
    assert 0.01 < wrong / (blocks * BLOCK) < 0.2
