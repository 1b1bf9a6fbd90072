"""States of verified decoding, drawn from a text: where draft windows stand, and what each of their rows counts."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recipe.model.window_attention import DraftWindows

MOST_MASKS = 3
"""A window of 4 tokens: the first id comes from the row before the masks, and each mask drafts one more."""


def draw_windows(length: int, count: int, rng: np.random.Generator) -> DraftWindows:
    """Windows of 1..MOST_MASKS masks, each length as likely as another, over a text of `length` tokens.

    They stand at `count` different positions (all there are, if fewer), each as likely as another: decoding follows no grid.
    """
    phases = 1 + rng.permutation(length - MOST_MASKS)[:count]
    lengths = rng.integers(1, MOST_MASKS + 1, len(phases))
    return DraftWindows(torch.from_numpy(phases), torch.from_numpy(lengths))


def branch_first(ids: Tensor, greedy: Tensor, windows: DraftWindows, count: int) -> DraftWindows:
    """`count` of the windows: those whose first position the verifier would have written as it stands, then others, in their order.

    Half of human text is not what the verifier would have written, and most of a window after such an id counts little.
    """
    off = ids[windows.start] != greedy[windows.start - 1]
    kept = off.long().argsort(stable=True)[:count]
    return DraftWindows(windows.start[kept], windows.length[kept])


def on_branch(ids: Tensor, greedy: Tensor, windows: DraftWindows) -> Tensor:
    """[R], whether the verifier would have written the text up to and including the row's own position, from the window's start on.

    ids [L]; greedy [L]: the verifier's choice after each position. Decoding is only ever on the branch: there the
    text before a draft is the verifier's own.
    """
    chosen = torch.zeros_like(ids, dtype=torch.bool)
    chosen[1:] = ids[1:] == greedy[:-1]
    wrong = (~chosen).long().cumsum(0)  # [L], choices up to a position that are not the verifier's
    return wrong[windows.position] == wrong[windows.start - 1][windows.window]


def row_weights(windows: DraftWindows, branch: Tensor, decay: float, off_branch: float) -> Tensor:
    """[R]: decay ** (place in the window), times `off_branch` where the text has left the verifier's branch.

    A draft is taken only if all before it are. Position weights and a focus on the accepted prefix: arXiv 2606.11552,
    which gains 21 to 76% of accepted length over uniform weights.
    """
    return decay ** windows.offset.float() * torch.where(branch, 1.0, off_branch)
