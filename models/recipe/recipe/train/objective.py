"""The training loss: masked cross-entropy with hard and soft targets, plus causal cross-entropy.

The logit shift of the base model is kept: the prediction for position i is read from row i - 1. Inside a block that
row belongs to the noisy half; the first id of a block comes from the last clean position before it, which is the
causal loss itself.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recipe.model import attention
from recipe.model.llama import Llama


@dataclass(frozen=True)
class Losses:
    """Loss of one sequence; the plain numbers are for the log, nan where there was no such position."""

    total: Tensor
    masked: float  # hard cross-entropy of masked positions, nats
    causal: float  # causal cross-entropy of the clean half, nats
    masked_accuracy: float
    corrected: float  # accuracy at visible positions whose token is wrong
    kept: float  # accuracy at visible positions whose token is right


@dataclass(frozen=True)
class Noisy:
    """R noisy versions of one text [L]."""

    ids: Tensor  # [R, L], the mask token where a position is hidden
    weight: Tensor  # [R, L], what the prediction of a position counts in the mean; 0 at every block's first position
    own: Tensor | None = None  # [R, L], n > 0: the clean half's n-th best wrong guess stands here instead of the id


def seen_later(visible: Tensor, block: int) -> Tensor:
    """[R, L], from what is visible [R, L]: whether a later position of the same block is."""
    count = visible.view(len(visible), -1, block).long()
    from_here = count.flip(-1).cumsum(-1).flip(-1)
    return (from_here > count).view_as(visible)


def mask_noise(ids: Tensor, masks: Tensor, block: int, mask_id: int, right_weight: float = 1.0) -> Noisy:
    """Mask noise alone, of ids [L] under masks [R, L].

    A masked position counts 1, or `right_weight` with a visible token later in its block; a block's first position counts nothing.
    """
    first = torch.arange(len(ids), device=ids.device) % block == 0
    weight = torch.where(seen_later(~masks, block), right_weight, 1.0) * (masks & ~first)
    return Noisy(torch.where(masks, mask_id, ids), weight)


class Head:
    """The LM head over a part of the vocabulary, frozen unless the whole model is trained.

    Half of the ids never occur in code and the rarest of the others are a five-hundredth of it, but each of them costs as
    much as the most frequent one: the head is a sixth of a training step. A sequence's own ids are always added.
    """

    def __init__(self, weight: Tensor, common: Tensor, mask_id: int) -> None:
        """weight [V, d]; common: sorted ids that are always candidates. The mask token never is."""
        self.weight = weight
        self.common = common[common != mask_id]
        self.frozen_rows = None if weight.requires_grad else weight[self.common]
        self.mask_id = mask_id

    @property
    def rows(self) -> Tensor:
        """[C, d] of the common ids; taken anew where the embedding is trained."""
        return self.weight[self.common] if self.frozen_rows is None else self.frozen_rows

    @staticmethod
    def whole(model: Llama) -> Head:
        """All ids but the mask token."""
        assert model.mask_id is not None
        weight = model.embed_tokens.weight.detach()
        return Head(weight, torch.arange(len(weight), device=weight.device), model.mask_id)

    def candidates(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(rows [C, d], their ids [C], column [L] of each of `ids` [L])."""
        place = torch.searchsorted(self.common, ids).clamp_max(len(self.common) - 1)
        rare = ids[self.common[place] != ids].unique()  # type: ignore[no-untyped-call]
        if not len(rare):
            return self.rows, self.common, place
        added = torch.searchsorted(rare, ids).clamp_max(len(rare) - 1)
        column = torch.where(rare[added] == ids, len(self.common) + added, place)
        return torch.cat([self.rows, self.weight[rare]]), torch.cat([self.common, rare]), column


@dataclass(frozen=True)
class Targets:
    """What K clean and M noisy rows are to predict, and what each of them counts. Columns are rows of the head's weight [C, d]."""

    clean_labels: Tensor  # [K]
    noisy_labels: Tensor  # [M]
    teacher: Tensor  # [M], the clean row whose distribution is mixed into a noisy row's target
    soft: Tensor  # [M], its share
    share: Tensor  # [M], weight of a noisy row in the loss
    clean_share: Tensor | None  # [K], weight of a clean row in the loss; None: clean rows are not trained
    clean_absent: Tensor | None = None  # [K, n], which of the last n columns do not compete for a row; None: all compete
    noisy_absent: Tensor | None = None  # [M, n]


def probabilities(rows: Tensor, weight: Tensor, absent: Tensor | None) -> Tensor:
    """softmax [N, C] in float32 of rows [N, d] under a head [C, d]."""
    logits = (rows @ weight.T).float()
    if absent is not None and absent.shape[1]:
        logits[:, -absent.shape[1] :].masked_fill_(absent, float("-inf"))
    return logits.softmax(-1)


class HeadLoss(torch.autograd.Function):
    """LM head and loss in one step, with the gradient in closed form.

    The gradient of the rows is (softmax - target) E. Computing it during the forward avoids keeping [rows, C] logits for the backward:
    a sixth of the step's memory traffic. The head's own gradient is computed only where the head is trained.
    """

    @staticmethod
    def forward(ctx: Any, clean: Tensor, noisy: Tensor, weight: Tensor, to: Targets) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """clean [K, d], noisy [M, d], weight [C, d].

        Returns the loss, each clean row's cross-entropy [K], each noisy row's hard cross-entropy [M] and whether its best id is the
        label [M].
        """
        clean_p, noisy_p = probabilities(clean, weight, to.clean_absent), probabilities(noisy, weight, to.noisy_absent)
        rows_c = torch.arange(len(to.clean_labels), device=clean.device)
        rows_m = torch.arange(len(to.noisy_labels), device=clean.device)
        clean_ce = -clean_p[rows_c, to.clean_labels].clamp_min(1e-30).log()
        hard_ce = -noisy_p[rows_m, to.noisy_labels].clamp_min(1e-30).log()
        right = noisy_p.argmax(-1) == to.noisy_labels
        teacher_p = clean_p[to.teacher].mul_(to.soft[:, None])  # a row of zeros where the target is hard
        soft_ce = -(teacher_p * noisy_p.clamp_min(1e-30).log()).sum(-1)
        total = (to.share * ((1 - to.soft) * hard_ce + soft_ce)).sum()
        if to.clean_share is not None:
            total = total + (to.clean_share * clean_ce).sum()

        # From here on noisy_p and clean_p are softmax - target.
        noisy_p.sub_(teacher_p)
        noisy_p[rows_m, to.noisy_labels] -= 1 - to.soft
        grad_noisy = (noisy_p.to(weight.dtype) @ weight) * to.share[:, None]
        grad_clean = torch.zeros_like(clean)
        trained = ctx.needs_input_grad[2]
        grad_weight = (noisy_p * to.share[:, None]).T @ noisy.float() if trained else None
        if to.clean_share is not None:
            clean_p[rows_c, to.clean_labels] -= 1
            grad_clean = (clean_p.to(weight.dtype) @ weight) * to.clean_share[:, None]
            if grad_weight is not None:
                grad_weight += (clean_p * to.clean_share[:, None]).T @ clean.float()
        ctx.save_for_backward(grad_clean.to(clean.dtype), grad_noisy.to(noisy.dtype), grad_weight)
        ctx.mark_non_differentiable(clean_ce, hard_ce, right)
        return total, clean_ce, hard_ce, right

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_clean, grad_noisy, grad_weight = ctx.saved_tensors
        return grads[0] * grad_clean, grads[0] * grad_noisy, None if grad_weight is None else grads[0] * grad_weight, None


def clean_half(model: Llama, ids: Tensor, through_clean: bool) -> tuple[Tensor, attention.Layers]:
    """Final states [L, d] of the text ids [L] itself and every layer's keys and values; no gradient without `through_clean`."""
    kept: attention.Layers = []
    with nullcontext() if through_clean else torch.no_grad():
        position = torch.arange(len(ids), device=ids.device)
        return model.hidden(ids[None], position, attention.causal_keeping(kept))[0], kept


def noisy_half(model: Llama, noisy: Tensor, kept: attention.Layers, block: int, start: int = 0) -> Tensor:
    """Final states [R, L, d] of noisy ids [R, L] whose blocks see the kept clean text [start + L] before them; row 0 is at `start`."""
    length = noisy.shape[1]
    position = torch.arange(start, start + length, device=noisy.device)
    return model.hidden(noisy, position, attention.over_clean(kept, length, block, start))


@torch.no_grad()
def own_guesses(head: Head, clean: Tensor, ids: Tensor, rank: Tensor) -> Tensor:
    """Wrong ids [N]: for each (position, n) of rank [N, 2], the n-th best guess of the clean rows [L, d] except ids[position]."""
    weight, names, column = head.candidates(ids)
    position, n = rank.T
    logits = clean[position - 1] @ weight.T
    logits[torch.arange(len(position), device=ids.device), column[position]] = float("-inf")
    best = logits.topk(int(n.max()), dim=-1).indices
    return names[best.gather(1, n[:, None] - 1)[:, 0]]


def with_own_guesses(noisy: Noisy, head: Head, clean: Tensor, ids: Tensor) -> Tensor:
    """Noisy ids [R, L] with the clean half's wrong guesses at the places that noisy.own names."""
    if noisy.own is None or not bool(noisy.own.any()):
        return noisy.ids
    draw, position = noisy.own.nonzero(as_tuple=True)
    rank = torch.stack([position, noisy.own[draw, position]], dim=1)
    changed = noisy.ids.clone()
    changed[draw, position] = own_guesses(head, clean, ids, rank)
    return changed


def sequence_loss(
    model: Llama, head: Head, ids: Tensor, noisy: Noisy, block: int, soft: float, causal_weight: float, importance: Tensor | None = None
) -> Losses:
    """Loss of one sequence ids [L] and its noisy versions; `importance` [L] is what a position counts in either mean.

    `soft` is the share of the clean half's own distribution in the target, except where the right token or a later one of its
    block is visible: a distribution that has not seen it knows less, and would teach to look away. A causal weight of 0 keeps the
    clean half out of the backward pass: it is then a fixed teacher and context.
    """
    clean, kept = clean_half(model, ids, through_clean=causal_weight > 0)
    noisy_ids = with_own_guesses(noisy, head, clean, ids)
    hidden = noisy_half(model, noisy_ids, kept, block)
    # Row i predicts position i + 1 of the same block.
    draw, position = noisy.weight.nonzero(as_tuple=True)
    rows = position - 1
    weight, _, column = head.candidates(ids)
    if causal_weight > 0:
        taught, teacher = torch.arange(len(ids) - 1, device=ids.device), rows
    else:
        taught, teacher = rows.unique(return_inverse=True)  # type: ignore[no-untyped-call]
    if importance is None:
        importance = torch.ones(len(ids), device=ids.device)
    seen = noisy_ids[draw, position]
    masked, right_seen = seen == head.mask_id, seen == ids[position]
    knows_more = right_seen | seen_later(noisy_ids != head.mask_id, block)[draw, position]
    counts, clean_counts = noisy.weight[draw, position] * importance[position], importance[taught + 1]
    to = Targets(
        column[taught + 1],
        column[position],
        teacher,
        torch.where(knows_more, 0.0, soft),
        counts / counts.sum(),
        causal_weight * (clean_counts / clean_counts.sum()) if causal_weight > 0 else None,
    )
    total, causal_ce, hard_ce, right = HeadLoss.apply(clean[taught], hidden[draw, rows], weight, to)  # type: ignore[no-untyped-call]
    causal = causal_ce.mean()
    accuracies = [float(right[where].float().mean()) for where in (masked, ~masked & ~right_seen, right_seen)]
    return Losses(total, float(hard_ce[masked].mean()), float(causal), *accuracies)
