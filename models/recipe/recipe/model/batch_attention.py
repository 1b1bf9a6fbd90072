"""Attention of a batch: rows of several texts over kept clean keys, each text with its own blocks, windows and documents.

Everything that differs between texts is data, so shapes stay fixed from step to step. The mask is applied as it stands (`plain`), or by
PyTorch's `flex_attention`, which skips the parts that no row sees and needs a GPU for its gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from recipe.model.attention import Layers, spread_groups
from recipe.model.llama import Attend


@dataclass(frozen=True)
class Sight:
    """What Q rows of each of B texts see: clean keys `since` <= key < `before`, and rows of the same group."""

    since: Tensor  # [B, Q]
    before: Tensor  # [B, Q]
    group: Tensor | None = None  # [B, Q]; None: the rows are the clean text itself, and `before` includes the row

    def sees(self, text: Tensor, row: Tensor, key: Tensor, clean: int) -> Tensor:
        """Whether a row sees a key. Keys from `clean` on are the rows themselves. The indices broadcast."""
        seen = (key >= self.since[text, row]) & (key < self.before[text, row])
        if self.group is None:
            return seen
        beside = self.group[text, row] == self.group[text, (key - clean).clamp(min=0)]
        return seen | ((key >= clean) & beside)

    def mask(self, clean: int) -> Tensor:
        """[B, Q, K], true = the row sees the key."""
        texts, rows = self.since.shape
        keys = clean if self.group is None else clean + rows
        device = self.since.device
        text, row, key = (torch.arange(count, device=device) for count in (texts, rows, keys))
        return self.sees(text[:, None, None], row[None, :, None], key[None, None, :], clean)


def causal_sight(document: Tensor) -> Sight:
    """The clean text [B, L] left to right, where document [B, L] is the first position of each position's own document."""
    after = torch.arange(1, document.shape[1] + 1, device=document.device).expand_as(document)
    return Sight(document, after)


@cache
def compiled_flex() -> Callable[..., Any]:
    """flex_attention as one kernel; without compilation it would compute every score."""
    return torch.compile(flex_attention, dynamic=False)


def flex(sight: Sight, clean: int) -> Attend:
    """Attention by flex_attention; keys and values [B, KV, K, D] may have fewer heads than queries [B, H, Q, D]."""
    texts, rows = sight.since.shape
    keys = clean if sight.group is None else clean + rows
    device = sight.since.device

    def visible(text: Tensor, head: Tensor, row: Tensor, key: Tensor) -> Tensor:
        return sight.sees(text, row, key, clean)

    blocks = create_block_mask(visible, texts, None, rows, keys, device=str(device))
    # A processor has no such kernel to compile for: there the same function runs as it is, without a gradient.
    run = compiled_flex() if device.type == "cuda" else cast(Callable[..., Any], flex_attention)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out: Tensor = run(q.to(v.dtype), k.to(v.dtype), v, block_mask=blocks, enable_gqa=q.shape[1] != k.shape[1])
        return out

    return attend


def plain(sight: Sight, clean: int) -> Attend:
    """The same with the whole mask."""
    mask = sight.mask(clean)[:, None]

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        heads = q.shape[1]
        k, v = spread_groups(k, heads), spread_groups(v, heads)
        return F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, attn_mask=mask)

    return attend


def by_device(device: torch.device) -> Callable[[Sight, int], Attend]:
    """The faster of both: flex_attention on a GPU, the plain mask elsewhere."""
    return flex if device.type == "cuda" else plain


def keeping(kept: Layers, attend: Attend) -> Attend:
    """`attend`, and each layer's keys and values are appended to `kept`."""

    def keep(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        kept.append((k, v))
        return attend(q, k, v)

    return keep


def over(kept: Layers, attend: Attend) -> Attend:
    """`attend` over each layer's kept keys and values [B, KV, L, D], with the rows' own after them."""
    layers = iter(kept)

    def joined(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys, values = next(layers)
        return attend(q, torch.cat([keys.to(k.dtype), k], dim=2), torch.cat([values.to(v.dtype), v], dim=2))

    return joined
