"""Noisy versions of a text that are states of its own trajectory: a block as it was before one of its forwards.

Constrained-order training (Seed Diffusion, arXiv 2508.02193, section 3.2) takes the loss at states of kept trajectories. Every block
draws its own state, because a block sees only the final text of the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recipe.data.edits import RIGHT_WEIGHT, Confusions, Edited, edit
from recipe.data.tokenizer import MASK_ID
from recipe.train.noise import draw_mask


def order_states(
    steps: NDArray[np.uint16], block: int, later: float, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which positions are masked [L], and the weight [L] of each, for steps [L] (0 in the prompt).

    Each block draws one of the steps that decided a position other than its first. Positions of that step have weight 1, positions of
    later steps the weight `later`, and positions of earlier steps are visible. A block's first position has weight 0, because it is
    decided causally; it is masked if the drawn step or a later one decided it. Blocks that touch the prompt have ordinary mask noise.
    """
    rows = steps.reshape(-1, block)
    masked = draw_mask(len(steps), block, rng).reshape(-1, block)
    weight = masked.astype(np.float32)
    for number, row in enumerate(rows):
        if row.min() == 0:
            continue
        now = rng.choice(np.unique(row[1:]))
        masked[number] = row >= now
        weight[number] = np.where(row == now, 1.0, np.where(row > now, later, 0.0))
    weight[:, 0] = 0
    return masked.reshape(-1), weight.reshape(-1)


def corrupted_states(
    ids: NDArray[np.int64],
    masked: NDArray[np.bool_],
    weight: NDArray[np.float32],
    block: int,
    confusions: Confusions,
    rng: np.random.Generator,
) -> tuple[Edited, NDArray[np.float32]]:
    """f ~ q_edit of the paper: edits [L] under the masks, and the weights [L], which now include visible positions.

    A wrong visible token, or a mask that a deletion left, has the weight 1 of positions that the drawn step decides. A right visible token
    has a small weight: there is no carry-over unmasking.
    """
    edited = edit(ids, block, confusions, rng)
    noisy = np.where(masked, MASK_ID, edited.ids)
    own = np.where(masked, 0, edited.own)
    right = (noisy == ids) & (own == 0)
    counted = np.where(masked, weight, np.where(right, RIGHT_WEIGHT, 1.0)).astype(np.float32)
    counted[::block] = 0
    return Edited(noisy, own), counted
