from __future__ import annotations

import numpy as np
import pytest

from recipe.train.noise import BLOCK_LENGTHS, BLOCK_WEIGHTS, FEWER_MASKS, FIRST_VISIBLE, SUFFIX_SHARE, draw_block_length, draw_mask


@pytest.mark.parametrize("block", BLOCK_LENGTHS)
def test_every_block_hides_a_position_that_is_not_its_first(block: int) -> None:
    mask = draw_mask(256, block, np.random.default_rng(0)).reshape(-1, block)
    assert mask[:, 1:].any(axis=1).all()


def test_shares_of_the_three_kinds_of_block() -> None:
    mask = draw_mask(8 * 20_000, 8, np.random.default_rng(1)).reshape(-1, 8)
    assert mask[:, 0].mean() == pytest.approx(1 - FIRST_VISIBLE, abs=0.01)
    later = mask[:, 1:]
    all_hidden = later.all(axis=1).mean()
    # Suffix blocks: 1/2 + 1/2 x 1/7 of them; random blocks: the mean of t^7, t being a power of a uniform number.
    random = 1 / (7 * FEWER_MASKS + 1)
    assert all_hidden == pytest.approx(SUFFIX_SHARE * (0.5 + 0.5 / 7) + (1 - SUFFIX_SHARE) * random, abs=0.01)
    suffix = (np.diff(later.astype(int), axis=1) >= 0).all(axis=1).mean()
    # A random block looks the same where k visible ones precede nothing but masks, or where the one forced mask is the last.
    t = ((np.arange(2000) + 0.5) / 2000) ** FEWER_MASKS
    alike = np.mean(sum((1 - t) ** k * t ** (7 - k) for k in range(7)) + (1 - t) ** 7 / 7)
    assert suffix == pytest.approx(SUFFIX_SHARE + (1 - SUFFIX_SHARE) * alike, abs=0.01)


def test_noise_depends_on_the_generator_alone() -> None:
    draws = [draw_mask(64, 8, np.random.default_rng([3, 7, 5])) for _ in range(2)]
    assert (draws[0] == draws[1]).all()
    lengths = [draw_block_length(np.random.default_rng(i)) for i in range(400)]
    assert set(lengths) == set(BLOCK_LENGTHS)
    assert lengths.count(8) / 400 == pytest.approx(BLOCK_WEIGHTS[BLOCK_LENGTHS.index(8)], abs=0.1)
