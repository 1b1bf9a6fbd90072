"""Attention of draft windows: masks right after a known id, many windows over one clean text.

A window is a state of verified decoding: everything before it is known, it is all masked, nothing after it is visible. Its rows see the
clean text before it and each other. Keys and values of the clean text are computed once for all windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from recipe.model import attention
from recipe.model.llama import Attend, Llama


@dataclass(frozen=True)
class DraftWindows:
    """N windows over one text [L], their masks laid out as R rows, window after window."""

    start: Tensor  # [N], position of the first mask, at least 1: what stands before it is known
    length: Tensor  # [N], masks

    @property
    def window(self) -> Tensor:
        """[R], the window of each row."""
        return torch.arange(len(self.start), device=self.start.device).repeat_interleave(self.length)

    @property
    def first_row(self) -> Tensor:
        """[R], the row of the first mask of each row's window."""
        return (self.length.cumsum(0) - self.length)[self.window]

    @property
    def offset(self) -> Tensor:
        """[R], place in the window from 0."""
        return torch.arange(int(self.length.sum()), device=self.start.device) - self.first_row

    @property
    def position(self) -> Tensor:
        """[R], position in the text."""
        return self.start[self.window] + self.offset


def windows_mask(windows: DraftWindows, length: int) -> Tensor:
    """Reference mask [R + L, R + L] for [windows | clean], where the clean text has `length` positions."""
    rows = len(windows.window)
    mask = torch.zeros(rows + length, rows + length, dtype=torch.bool)
    mask[:rows, :rows] = windows.window[:, None] == windows.window[None, :]
    mask[:rows, rows:] = torch.arange(length)[None, :] < windows.start[windows.window][:, None]
    mask[rows:, rows:] = torch.ones(length, length, dtype=torch.bool).tril()
    return mask


def over_prefix(kept: attention.Layers, windows: DraftWindows) -> Attend:
    """The windows' rows [1, H, R, D] over the kept keys and values [1, KV, L, D] of the clean text: the upper part of windows_mask."""
    length = kept[0][0].shape[2]
    device = windows.start.device
    hidden = torch.arange(length, device=device)[None, :] >= windows.start[windows.window][:, None]  # [R, L]
    places = torch.arange(int(windows.length.max()), device=device)
    absent = places[None, :] >= windows.length[windows.window][:, None]  # [R, W]
    beside = (windows.first_row[:, None] + places[None, :]).masked_fill(absent, 0)  # [R, W], rows of the same window
    layers = iter(kept)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        kc, vc = next(layers)
        _, heads, rows, dim = q.shape
        kv = k.shape[1]
        group = heads // kv
        # All query heads of a group are rows of one product per key/value head.
        folded = (q[0] * dim**-0.5).reshape(kv, group * rows, dim)
        outside = (folded @ kc[0].transpose(-1, -2)).view(kv, group, rows, length).masked_fill(hidden, float("-inf"))
        per_row = folded.view(kv, group, rows, dim).transpose(1, 2)  # [KV, R, G, D]
        inside = (per_row @ k[0][:, beside].transpose(-1, -2)).transpose(1, 2).masked_fill(absent, float("-inf"))  # [KV, G, R, W]
        weight = torch.cat([outside, inside], dim=-1).softmax(dim=-1)
        far = (weight[..., :length].reshape(kv, group * rows, length) @ vc[0]).view(kv, group, rows, dim)
        near = (weight[..., length:].transpose(1, 2) @ v[0][:, beside]).transpose(1, 2)
        return (far + near).reshape(1, heads, rows, dim)

    return attend


def windows_hidden(model: Llama, windows: DraftWindows, kept: attention.Layers) -> Tensor:
    """Final states [R, d] of the windows' masks over the kept clean text."""
    assert model.mask_id is not None
    position = windows.position
    return model.hidden(torch.full_like(position, model.mask_id)[None], position, over_prefix(kept, windows))[0]
