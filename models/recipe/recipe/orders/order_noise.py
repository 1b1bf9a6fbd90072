"""Noisy versions of a text that are states of its own trajectory: what a block looked like before one of its forwards.

Constrained-order training (Seed Diffusion, arXiv 2508.02193, section 3.2): the loss is taken at states of kept trajectories. Every
block draws its own state, because a block sees nothing of the others but their final text.
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
    """Which positions are masked [L], and what each counts [L], for steps [L] (0 in the prompt).

    Each block draws one of the steps that decided a position other than its first: what that step decides counts 1, what is
    decided after it `later`; earlier positions are visible. A block's first position counts nothing (it is decided causally),
    and is masked where it was decided by the drawn step or after it. Blocks of the prompt, whole or in part, have ordinary mask noise.
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
    """f ~ q_edit of the paper: edits [L] under the masks, and the weights [L] with what is visible among them.

    A wrong visible token, or a mask that a deletion left, counts as much as what the drawn step decides, a right one a little: no
    carry-over unmasking.
    """
    edited = edit(ids, block, confusions, rng)
    noisy = np.where(masked, MASK_ID, edited.ids)
    own = np.where(masked, 0, edited.own)
    right = (noisy == ids) & (own == 0)
    counted = np.where(masked, weight, np.where(right, RIGHT_WEIGHT, 1.0)).astype(np.float32)
    counted[::block] = 0
    return Edited(noisy, own), counted
