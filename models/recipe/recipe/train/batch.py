"""A batch of training texts as tensors of fixed shapes, made on the processor and taken to the device at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar, cast

import torch
from torch import Tensor

from recipe.data.tokenizer import END_OF_TEXT
from recipe.train.sequences import NoisySequence

RARE_STEP = 256
"""The number of ids beside the common ones is a multiple of this, so that few shapes occur."""


def document_starts(ids: Tensor) -> Tensor:
    """[B, L]: the first position of each position's own document. An end of text is the last token of its document."""
    position = torch.arange(ids.shape[1]).expand_as(ids)
    begins = torch.zeros_like(ids, dtype=torch.bool)
    begins[:, 1:] = ids[:, :-1] == END_OF_TEXT
    return torch.where(begins, position, 0).cummax(dim=1).values


@dataclass(frozen=True)
class Columns:
    """The ids that compete in the head for a batch: common ids [C], then n others, each for its own texts alone."""

    rare: Tensor  # [n], padded with the mask
    absent: Tensor  # [B, n], the id does not compete in this text
    column: Tensor  # [B, L], the column of each position's id

    @staticmethod
    def of(ids: Tensor, common: Tensor, mask_id: int) -> Columns:
        """ids [B, L]; common [C]: sorted, without the mask."""
        place = torch.searchsorted(common, ids).clamp_max(len(common) - 1)
        is_rare = common[place] != ids
        names = ids[is_rare].unique()  # type: ignore[no-untyped-call]
        padded = -(-len(names) // RARE_STEP) * RARE_STEP
        rare = torch.full((padded,), mask_id)
        rare[: len(names)] = names
        absent = torch.ones(len(ids), padded, dtype=torch.bool)
        if not len(names):
            return Columns(rare, absent, place)
        added = torch.searchsorted(names, ids).clamp_max(len(names) - 1)
        text = torch.arange(len(ids))[:, None].expand_as(ids)
        absent[text[is_rare], added[is_rare]] = False
        return Columns(rare, absent, torch.where(is_rare, len(common) + added, place))


@dataclass(frozen=True)
class Batch:
    """B texts of L tokens, each in R noisy versions."""

    ids: Tensor  # [B, L]
    noisy: Tensor  # [B, R, L]
    weight: Tensor  # [B, R, L], what the prediction of a position counts, importance included
    block: Tensor  # [B], block length
    causal_weight: Tensor  # [B]
    importance: Tensor  # [B, L], what a position counts in the causal loss
    document: Tensor  # [B, L], document_starts; zeros where attention crosses documents
    own: Tensor  # [N, 4]: text, version, position, n: the clean half's n-th best wrong guess stands there
    columns: Columns
    causal: bool  # whether any text has a causal weight
    guesses: int  # the largest n of `own`; 0: there is none

    def to(self, device: torch.device) -> Batch:
        """The batch on a device. The copies overlap with the device's work."""
        return moved(self, device)


T = TypeVar("T")


def moved(value: T, device: torch.device) -> T:
    """A tensor, or all tensors of a dataclass, on a device; any other value as it is."""
    if isinstance(value, Tensor):
        # From pinned memory a copy does not stop the processor.
        there = (value.pin_memory() if device.type == "cuda" else value).to(device, non_blocking=True)
        return cast(T, there)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: moved(getattr(value, field.name), device) for field in fields(value)})
    return value


def collate(sequences: Sequence[NoisySequence], common: Tensor, mask_id: int, apart: bool = False) -> Batch:
    """Texts of one length and one number of versions, on the processor. `apart`: no attention across documents.

    common [C]: sorted ids that always compete, without the mask. The first token of a document is predicted from no other document.
    """
    ids = torch.stack([one.ids for one in sequences])
    ones = torch.ones(ids.shape[1])
    importance = torch.stack([ones if one.importance is None else one.importance for one in sequences])
    weight = torch.stack([one.noisy.weight for one in sequences]) * importance[:, None]
    document = torch.zeros_like(ids)
    if apart:
        document = document_starts(ids)
        inside = document != torch.arange(ids.shape[1])
        weight, importance = weight * inside[:, None], importance * inside
    own = [torch.zeros(0, 4, dtype=torch.long)]
    for text, one in enumerate(sequences):
        if one.noisy.own is not None:
            version, position = one.noisy.own.nonzero(as_tuple=True)
            own.append(torch.stack([torch.full_like(version, text), version, position, one.noisy.own[version, position].long()], dim=1))
    chosen = torch.cat(own)
    causal_weight = [one.causal_weight for one in sequences]
    return Batch(
        ids=ids,
        noisy=torch.stack([one.noisy.ids for one in sequences]),
        weight=weight.float(),
        block=torch.tensor([one.block for one in sequences]),
        causal_weight=torch.tensor(causal_weight),
        importance=importance,
        document=document,
        own=chosen,
        columns=Columns.of(ids, common, mask_id),
        causal=max(causal_weight) > 0,
        guesses=int(chosen[:, 3].max()) if len(chosen) else 0,
    )
