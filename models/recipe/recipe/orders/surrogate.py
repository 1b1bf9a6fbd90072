"""The cost of a trajectory: the surrogate of Seed Diffusion (arXiv 2508.02193), section 3.3, for its number of steps.

Minimising |tau| itself was unstable there. The surrogate there is E_{i,j}[1 / d_Lev(tau[i], tau[j])] over all pairs of points of the
trajectory. With n tokens in T equal steps that is about (2 / n) (ln T - 0.42), logarithmic in the steps: it hardly differs between
trajectories. Here only neighbours count, E_i[1 / d_Lev(tau[i], tau[i + 1])]: T / n for equal steps, so proportional to them.
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
    """The trajectory [T + 1, C] of ids [C] decided at steps [C] (1..T), from all masks to the finished text."""
    after = np.arange(steps.max() + 1)
    return np.where(steps[None, :] <= after[:, None], ids[None, :], mask_id)


def inverse_distance(trajectory: NDArray[np.int64]) -> float:
    """Mean of 1 / d_Lev, in 0..1, over neighbouring points of a trajectory [T, C]. Neighbours differ."""
    return float((1 / levenshtein(trajectory[:-1], trajectory[1:])).mean())
