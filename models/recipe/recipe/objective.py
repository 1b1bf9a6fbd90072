"""The training loss: masked cross-entropy with hard and soft targets, plus causal cross-entropy.

The logit shift of the base model is kept: the prediction for position i is read from row i - 1. Inside a block that
row belongs to the noisy half; the first id of a block comes from the last clean position before it, which is the
causal loss itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recipe import attention
from recipe.llama import Llama

CAUSAL_WEIGHT = 0.5


@dataclass(frozen=True)
class Losses:
    """Loss of one sequence; the plain numbers are for the log."""

    total: Tensor
    masked: float  # hard cross-entropy of masked positions, nats
    causal: float  # causal cross-entropy of the clean half, nats
    masked_accuracy: float


class HeadLoss(torch.autograd.Function):
    """LM head and loss in one step, with the gradient in closed form.

    The head is frozen, so only the rows' gradient is needed: (softmax - target) E. Computing it during the forward
    avoids keeping [rows, V] logits for the backward: a sixth of the step's memory traffic.
    """

    @staticmethod
    def forward(
        ctx: Any,
        clean: Tensor,
        noisy: Tensor,
        weight: Tensor,
        clean_labels: Tensor,
        noisy_labels: Tensor,
        teacher: Tensor,
        soft: float,
        mask_id: int,
    ) -> tuple[Tensor, Tensor]:
        """clean [C, d], noisy [M, d], weight [V, d], labels [C] and [M], teacher [M] = row of `clean` for each noisy row.

        Returns the weighted loss and its parts [3] = (masked CE, causal CE, masked accuracy).
        """
        clean_logits, noisy_logits = clean @ weight.T, noisy @ weight.T
        for logits in (clean_logits, noisy_logits):
            logits[:, mask_id] = float("-inf")  # the mask token is never an answer
        clean_p, noisy_p = clean_logits.float().softmax(-1), noisy_logits.float().softmax(-1)
        rows_c = torch.arange(len(clean_labels), device=clean.device)
        rows_m = torch.arange(len(noisy_labels), device=clean.device)
        causal_ce = -clean_p[rows_c, clean_labels].clamp_min(1e-30).log().mean()
        masked_ce = -noisy_p[rows_m, noisy_labels].clamp_min(1e-30).log().mean()
        accuracy = (noisy_p.argmax(-1) == noisy_labels).float().mean()
        teacher_p = clean_p[teacher]
        soft_ce = -(teacher_p * noisy_p.clamp_min(1e-30).log()).sum(-1).mean()
        total = (1 - soft) * masked_ce + soft * soft_ce + CAUSAL_WEIGHT * causal_ce

        noisy_p.sub_(teacher_p, alpha=soft)
        noisy_p[rows_m, noisy_labels] -= 1 - soft
        clean_p[rows_c, clean_labels] -= 1
        grad_noisy = (noisy_p.to(weight.dtype) @ weight) / len(noisy_labels)
        grad_clean = (clean_p.to(weight.dtype) @ weight) * (CAUSAL_WEIGHT / len(clean_labels))
        ctx.save_for_backward(grad_clean.to(clean.dtype), grad_noisy.to(noisy.dtype))
        parts = torch.stack([masked_ce, causal_ce, accuracy])
        ctx.mark_non_differentiable(parts)
        return total, parts

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_clean, grad_noisy = ctx.saved_tensors
        return grads[0] * grad_clean, grads[0] * grad_noisy, None, None, None, None, None, None


def two_stream_hidden(model: Llama, ids: Tensor, mask: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Final states (noisy [L, d], clean [L, d]) of one sequence ids [L] under mask [L]."""
    assert model.mask_id is not None
    length = len(ids)
    noisy = torch.where(mask, model.mask_id, ids)
    position = torch.arange(length, device=ids.device).repeat(2)
    hidden = model.hidden(torch.cat([noisy, ids])[None], position, attention.two_stream(length, block))[0]
    return hidden[:length], hidden[length:]


def predicted_rows(mask: Tensor, block: int) -> Tensor:
    """Rows of the noisy half that carry loss: row i predicts the masked position i + 1 of the same block."""
    position = torch.arange(len(mask), device=mask.device)
    return (position[mask & (position % block != 0)]) - 1


def sequence_loss(model: Llama, ids: Tensor, mask: Tensor, block: int, soft: float) -> Losses:
    """Loss of one sequence ids [L]. `soft` is the share of the clean half's own distribution in the target.

    Every clean row but the last carries causal loss: its logits are the soft targets anyway.
    """
    assert model.mask_id is not None
    noisy, clean = two_stream_hidden(model, ids, mask, block)
    rows = predicted_rows(mask, block)
    weight, labels = model.embed_tokens.weight, (ids[1:], ids[rows + 1])
    total, parts = HeadLoss.apply(clean[:-1], noisy[rows], weight, *labels, rows, soft, model.mask_id)  # type: ignore[no-untyped-call]
    return Losses(total, *(float(part) for part in parts))
