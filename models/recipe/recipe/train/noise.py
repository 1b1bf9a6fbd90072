"""Mask noise: which positions of a training sequence the noisy half hides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK_LENGTHS = (4, 8, 16, 32)
BLOCK_WEIGHTS = (0.25, 0.4, 0.2, 0.15)
SUFFIX_SHARE = 0.25
"""Share of blocks that look like a step of decoding: a visible prefix, everything after it masked."""
FEWER_MASKS = 1.5
"""Exponent of the others' masking rate: what stands to the right is learned where most of it is there to see."""
FIRST_VISIBLE = 0.4
"""The forward that commits the text before a block also drafts the block, with its first id still hidden; a hole inside a
text has it visible."""


def draw_block_length(rng: np.random.Generator) -> int:
    """The block length of one sequence."""
    return int(rng.choice(BLOCK_LENGTHS, p=BLOCK_WEIGHTS))


def draw_mask(length: int, block: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mask [length], true = hidden; every block hides at least one position that is not its first.

    A suffix block is all-masked after its first position half of the time, else its visible prefix has a uniform
    length 1..block-1. Any other block draws t ~ U(0, 1)^FEWER_MASKS and hides each later position with probability t.
    """
    blocks = length // block
    offset = np.arange(block)
    prefix = np.where(rng.random(blocks) < 0.5, 1, rng.integers(1, block, blocks))
    suffix_mask = offset[None, :] >= prefix[:, None]
    t = rng.random(blocks) ** FEWER_MASKS
    random_mask = rng.random((blocks, block)) < t[:, None]
    forced = rng.integers(1, block, blocks)
    random_mask[np.arange(blocks), forced] |= ~random_mask[:, 1:].any(axis=1)
    mask = np.where((rng.random(blocks) < SUFFIX_SHARE)[:, None], suffix_mask, random_mask)
    mask[:, 0] = rng.random(blocks) >= FIRST_VISIBLE
    return mask.reshape(-1)
