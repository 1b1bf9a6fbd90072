"""The log-derivative trick over block rollouts: the probability of a trajectory's decisions, and its advantage over its group."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from recipe.model import attention
from recipe.model.llama import Llama
from recipe.orders.rollout import reveal_log_odds, rows_logits

EVEN = 0.01
"""Added to a group's deviation, so that differences of rewards below it hardly count."""


def advantages(rewards: Tensor) -> Tensor:
    """Advantages [G] of rewards [G] of one prompt: difference from the group's mean, in deviations (GRPO, arXiv 2402.03300)."""
    return (rewards - rewards.mean()) / (rewards.std(correction=0) + EVEN)


def states(ids: Tensor, decided: Tensor, block: int, mask_id: int) -> tuple[Tensor, Tensor]:
    """Every forward of one rollout, side by side: canvases [R, C] before step r of each block, and the open positions then [R, C].

    A block sees only the final text of the others, so one row has the r-th state of all blocks. A block with fewer steps has no open
    position in the later rows. Its first position is never open, because it is decided causally.
    """
    step = torch.arange(1, int(decided.max()) + 1, device=ids.device)[:, None]
    open_ = decided[None, :] >= step
    canvas = torch.where(open_, mask_id, ids[None, :])
    first = torch.arange(len(ids), device=ids.device) % block == 0
    return canvas, open_ & ~first


@dataclass(frozen=True)
class Decisions:
    """All N positions that were open in a forward of one rollout, over all of its forwards."""

    logits: Tensor  # [N, V], differentiable
    column: Tensor  # [N], the position
    now: Tensor  # [N], whether that forward decided it


def decisions(model: Llama, kept: attention.Layers, ids: Tensor, decided: Tensor, block: int) -> Decisions:
    """All forwards of one rollout ids [C] again, as one forward. kept: keys and values [1, KV, P + C, D] of prompt and rollout."""
    assert model.mask_id is not None
    canvas, open_ = states(ids, decided, block, model.mask_id)
    start = kept[0][0].shape[2] - len(ids)
    position = torch.arange(start, start + len(ids), device=ids.device)
    hidden = model.hidden(canvas, position, attention.over_clean(kept, len(ids), block, start))
    row, column = open_.nonzero(as_tuple=True)
    return Decisions(rows_logits(model, hidden[row, column - 1]), column, decided[column] == row + 1)


def log_probability(made: Decisions, ids: Tensor, forced: Tensor, tau: float, softness: float, temperature: float) -> Tensor:
    """log pi of one rollout ids [C]: of the positions that each step decided and left open, and of the ids if they were drawn.

    A forced position (decided only because the policy had decided none) counts as left open: the other decisions already imply it.
    """
    odds = reveal_log_odds(made.logits.softmax(-1).amax(-1), tau, softness)
    total = F.logsigmoid(torch.where(made.now & ~forced[made.column], odds, -odds)).sum()
    if temperature > 0:
        chosen = ids[made.column[made.now]][:, None]
        total = total + (made.logits[made.now] / temperature).log_softmax(-1).gather(1, chosen).sum()
    return total


def divergence(reference: Tensor, logits: Tensor) -> Tensor:
    """Mean KL(reference || model) in nats over rows [N, V] of logits. An id that neither can write adds 0."""
    fixed = reference.log_softmax(-1)
    difference = fixed - logits.log_softmax(-1)
    return (fixed.exp() * difference.masked_fill(fixed.isneginf(), 0)).sum(-1).mean()


def drafts_loss(causal: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """Distance in nats of drafts [N, V] from the causal head [N, V] at this temperature; from its best id at temperature 0."""
    if temperature == 0:
        return F.cross_entropy(logits, causal.argmax(-1))
    return divergence(causal / temperature, logits)
