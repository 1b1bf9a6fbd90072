"""What a trajectory costs: the surrogate of Seed Diffusion (arXiv 2508.02193), section 3.3, for its number of steps.

Minimising |tau| itself was unstable there; |tau| is proportional to E_{i,j}[1 / d_Lev(tau[i], tau[j])] over the points of the trajectory:
few steps lie far apart, many lie close together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def levenshtein(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Edit distances [P] between the rows of a [P, N] and b [P, M], all pairs at once."""
    pairs, columns = len(a), b.shape[1]
    above = np.broadcast_to(np.arange(columns + 1), (pairs, columns + 1)).copy()
    for i in range(a.shape[1]):
        row = np.empty_like(above)
        row[:, 0] = i + 1
        for j in range(columns):
            changed = above[:, j] + (a[:, i] != b[:, j])
            row[:, j + 1] = np.minimum(changed, np.minimum(above[:, j + 1], row[:, j]) + 1)
        above = row
    return above[:, -1]


def points(ids: NDArray[np.int64], steps: NDArray[np.int64], mask_id: int) -> NDArray[np.int64]:
    """The trajectory [T + 1, C] of ids [C] decided at steps [C] (1..T): all masks first, the finished text last."""
    after = np.arange(steps.max() + 1)
    return np.where(steps[None, :] <= after[:, None], ids[None, :], mask_id)


def inverse_distance(trajectory: NDArray[np.int64]) -> float:
    """E over pairs i != j of 1 / d_Lev, in 0..1, of a trajectory [T, C] whose points all differ."""
    first, second = np.triu_indices(len(trajectory), k=1)
    return float((1 / levenshtein(trajectory[first], trajectory[second])).mean())
