"""The training loss of a whole batch in one forward, with no wait for the device.

It is the mean of `objective.sequence_loss` over the texts. Positions that do not count stay in the products with weight 0, so that shapes
are the same at every step. On a CPU that is slower than one text per core; on a GPU a text alone leaves most of the device idle.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor

from recipe.model.attention import Layers
from recipe.model.batch_attention import Sight, by_device, causal_sight, keeping, over
from recipe.model.llama import Attend, Llama
from recipe.train.batch import Batch
from recipe.train.objective import Head, HeadLoss, Targets

TEXTS = 8
"""Texts whose probabilities over the head's ids are held at once."""

Attention = Callable[[Sight, int], Attend]
"""How a Sight over so many clean keys is computed: batch_attention.plain or flex."""


def batch_clean_half(model: Llama, batch: Batch, attention: Attention) -> tuple[Tensor, Layers]:
    """Final states [B, L, d] of the texts and every layer's keys and values. A text without causal weight has no gradient here."""
    length = batch.ids.shape[1]
    kept: Layers = []
    position = torch.arange(length, device=batch.ids.device)
    with nullcontext() if batch.causal else torch.no_grad():
        clean = model.hidden(batch.ids, position, keeping(kept, attention(causal_sight(batch.document), length)))
    if not batch.causal:
        return clean, kept
    trained = batch.causal_weight > 0

    def fixed(value: Tensor) -> Tensor:
        return torch.where(trained.view(-1, *[1] * (value.dim() - 1)), value, value.detach())

    return fixed(clean), [(fixed(k), fixed(v)) for k, v in kept]


def noisy_sight(batch: Batch) -> Sight:
    """The noisy versions, one after the other [B, R * L]: a row sees its block in its version, and its document's clean text before it."""
    texts, versions, length = batch.noisy.shape
    position = torch.arange(length, device=batch.ids.device)
    start = position // batch.block[:, None] * batch.block[:, None]  # [B, L]
    version = torch.arange(versions, device=start.device)[:, None] * length
    # A block that two documents share is two groups.
    group = (version + torch.maximum(start, batch.document)[:, None]).view(texts, versions * length)
    return Sight(batch.document.repeat(1, versions), start.repeat(1, versions), group)


@torch.no_grad()
def with_guesses(batch: Batch, weight: Tensor, names: Tensor, clean: Tensor) -> Tensor:
    """Noisy ids [B, R, L] with the clean half's wrong guesses at the places of batch.own."""
    if not batch.guesses:
        return batch.noisy
    text, version, position, n = batch.own.T
    logits = (clean[text, position - 1] @ weight.T).float()
    rare = batch.columns.absent.shape[1]
    if rare:
        logits[:, -rare:].masked_fill_(batch.columns.absent[text], float("-inf"))
    logits.scatter_(1, batch.columns.column[text, position][:, None], float("-inf"))
    best = logits.topk(batch.guesses, dim=-1).indices
    changed = batch.noisy.clone()
    changed[text, version, position] = names[best.gather(1, n[:, None] - 1)[:, 0]]
    return changed


def per_text(counts: Tensor) -> Tensor:
    """Counts [B, ...] as shares of the batch: those of a text have the sum 1 / B, or 0 if it has none."""
    totals = counts.flatten(1).sum(1).clamp_min(1e-9) * len(counts)
    return counts / totals.view(-1, *[1] * (counts.dim() - 1))


def batch_loss(model: Llama, head: Head, batch: Batch, soft: float, attention: Attention | None = None) -> dict[str, Tensor]:
    """`loss`, and for the log `masked_ce`, `causal_ce`, `masked_accuracy`, `corrected`, `kept` over all texts: scalars on the device.

    Names and meaning are those of `objective.Losses`; nan where there is no such position.
    """
    attention = attention or by_device(batch.ids.device)
    texts, versions, length = batch.noisy.shape
    names = torch.cat([head.common, batch.columns.rare])
    weight = torch.cat([head.rows, head.weight[batch.columns.rare]]) if len(batch.columns.rare) else head.rows
    clean, kept = batch_clean_half(model, batch, attention)
    noisy = with_guesses(batch, weight, names, clean)
    position = torch.arange(length, device=noisy.device).repeat(versions)
    hidden = model.hidden(noisy.flatten(1), position, over(kept, attention(noisy_sight(batch), length))).view(texts, versions, length, -1)

    # Row i predicts position i + 1.
    seen, target = noisy[:, :, 1:], batch.ids[:, None, 1:]
    masked, right_seen = seen == head.mask_id, seen == target
    later = seen_later_of(noisy != head.mask_id, batch.block)[:, :, 1:]
    counts, clean_counts = batch.weight[:, :, 1:], batch.importance[:, 1:]
    share = per_text(counts)
    clean_share = per_text(clean_counts) * batch.causal_weight[:, None]
    softs = torch.where(right_seen | later, 0.0, soft)
    column = batch.columns.column[:, 1:]
    total = hidden.new_zeros((), dtype=torch.float32)
    causal_ce: list[Tensor] = []
    hard_ce: list[Tensor] = []
    right: list[Tensor] = []
    for start in range(0, texts, TEXTS):
        part = slice(start, start + TEXTS)
        rows = len(batch.ids[part])
        teacher = torch.arange(rows * (length - 1), device=noisy.device).view(rows, 1, -1).expand(-1, versions, -1)
        absent = batch.columns.absent[part]
        to = Targets(
            column[part].flatten(),
            column[part, None].expand(-1, versions, -1).flatten(),
            teacher.flatten(),
            softs[part].flatten(),
            share[part].flatten(),
            clean_share[part].flatten() if batch.causal else None,
            absent.repeat_interleave(length - 1, 0, output_size=rows * (length - 1)),
            absent.repeat_interleave(versions * (length - 1), 0, output_size=rows * versions * (length - 1)),
        )
        results = HeadLoss.apply(clean[part, :-1].flatten(0, 1), hidden[part, :, :-1].flatten(0, 2), weight, to)  # type: ignore[no-untyped-call]
        total = total + results[0]
        for found, one in zip((causal_ce, hard_ce, right), results[1:], strict=True):
            found.append(one)
    hard, good = torch.cat(hard_ce).view_as(seen), torch.cat(right).view_as(seen)
    counted = counts > 0
    inside = clean_counts > 0
    return {
        "loss": total,
        "masked_ce": mean_where(hard, counted & masked),
        "causal_ce": mean_where(torch.cat(causal_ce).view_as(clean_counts), inside),
        "masked_accuracy": mean_where(good, counted & masked),
        "corrected": mean_where(good, counted & ~masked & ~right_seen),
        "kept": mean_where(good, counted & right_seen),
    }


def mean_where(value: Tensor, where: Tensor) -> Tensor:
    """Mean of the values at which `where` is true; nan if there is none."""
    return torch.where(where, value.float(), 0.0).sum() / where.sum()


def seen_later_of(visible: Tensor, block: Tensor) -> Tensor:
    """[B, R, L], as objective.seen_later, where each text has its own block length [B]."""
    length = visible.shape[-1]
    position = torch.arange(length, device=visible.device)
    ends = position // block[:, None] * block[:, None] + block[:, None]  # [B, L], the position after each block
    seen = visible.long().cumsum(-1)  # [B, R, L]
    last = (ends - 1).clamp_max(length - 1)[:, None].expand_as(visible)
    return seen.gather(-1, last) > seen
