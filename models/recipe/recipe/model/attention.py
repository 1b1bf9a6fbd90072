"""Attention patterns: dense with an explicit mask, causal, and the fast two-stream pattern used in training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recipe.model.llama import Attend


def spread_groups(kv: Tensor, heads: int) -> Tensor:
    """[B, KV, S, D] -> [B, H, S, D]: repeats each key/value head for the query heads of its group."""
    return kv.repeat_interleave(heads // kv.shape[1], dim=1)


def causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Plain left-to-right attention."""
    heads = q.shape[1]
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, spread_groups(k, heads), spread_groups(v, heads), is_causal=True)
    # PyTorch's fused kernel with its backward pass takes a tenth of a training step on a CPU. These products take half of that.
    batch, _, length, dim = q.shape
    kv = k.shape[1]
    rows = (q * dim**-0.5).reshape(batch, kv, heads // kv * length, dim)
    scores = (rows @ k.transpose(-1, -2)).view(batch, heads, length, length)
    later = torch.ones(length, length, dtype=torch.bool, device=q.device).triu(1)
    weight = scores.masked_fill(later, float("-inf")).softmax(dim=-1)
    out: Tensor = weight.view(batch, kv, heads // kv * length, length) @ v
    return out.view(batch, heads, length, dim)


def dense(mask: Tensor) -> Attend:
    """Attention under a boolean mask [S, S]; true: the row (query) may see the column (key)."""

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        heads = q.shape[1]
        return F.scaled_dot_product_attention(q, spread_groups(k, heads), spread_groups(v, heads), attn_mask=mask)

    return attend


def two_stream_mask(length: int, block: int) -> Tensor:
    """Reference mask [2L, 2L] for [noisy | clean], both halves at positions 0..L-1.

    clean -> clean: causal. noisy -> noisy: the same block. noisy -> clean: everything before the block. clean -> noisy: none.
    """
    position = torch.arange(length)
    start = position // block * block
    mask = torch.zeros(2 * length, 2 * length, dtype=torch.bool)
    mask[:length, :length] = start[:, None] == start[None, :]
    mask[:length, length:] = position[None, :] < start[:, None]
    mask[length:, length:] = position[None, :] <= position[:, None]
    return mask


def prefix_block_mask(context: int, block: int) -> Tensor:
    """Mask [N, N] for `context` causal rows followed by one active block that sees them all and itself."""
    rows = context + block
    mask = torch.ones(rows, rows, dtype=torch.bool).tril()
    mask[context:, :] = True
    return mask


def two_stream(length: int, block: int) -> Attend:
    """The pattern of two_stream_mask, computed without its empty parts.

    Dense attention over 2L rows wastes three quarters of its scores, a fifth of a training step on a CPU.
    """
    position = torch.arange(length)
    hidden = position[None, :] >= (position // block * block)[:, None]  # [L, L], true = the clean key is not before the block

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        batch, heads, _, dim = q.shape
        kv = k.shape[1]
        group = heads // kv
        clean = causal(q[:, :, length:], k[:, :, length:], v[:, :, length:])

        # The query heads of a group are stacked as rows, so that one product serves the group: [B, KV, G * L, D].
        qn = (q[:, :, :length] * dim**-0.5).reshape(batch, kv, group * length, dim)
        kn, kc = k[:, :, :length], k[:, :, length:]
        vn, vc = v[:, :, :length], v[:, :, length:]
        outside = (qn @ kc.transpose(-1, -2)).view(batch, kv, group, length, length)
        outside = outside.masked_fill(hidden.to(q.device), float("-inf"))
        blocks = length // block
        qb = qn.view(batch, kv, group, blocks, block, dim)
        kb = kn.reshape(batch, kv, 1, blocks, block, dim)
        vb = vn.reshape(batch, kv, 1, blocks, block, dim)
        inside = (qb @ kb.transpose(-1, -2)).view(batch, kv, group, length, block)
        weight = torch.cat([outside, inside], dim=-1).softmax(dim=-1)
        far = weight[..., :length].reshape(batch, kv, group * length, length) @ vc
        near = weight[..., length:].reshape(batch, kv, group, blocks, block, block) @ vb
        noisy = far.view(batch, heads, length, dim) + near.reshape(batch, heads, length, dim)
        return torch.cat([noisy, clean], dim=2)

    return attend


Layers = list[tuple[Tensor, Tensor]]
"""Keys and values [1, KV, L, D] of every layer."""


def causal_keeping(kept: Layers) -> Attend:
    """Left-to-right attention that appends each layer's keys and values to `kept`."""

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        kept.append((k, v))
        return causal(q, k, v)

    return attend


def over_clean(kept: Layers, length: int, block: int, start: int = 0) -> Attend:
    """Noisy rows [R, ...] of one text under several masks, over the kept keys and values [S + L] of its clean half.

    A row sees its own block in its own draw and the clean text before the block, as in the noisy half of two_stream_mask. The rows are
    the `length` positions from `start` on. The first block begins at `start`.
    """
    position = torch.arange(start, start + length)
    keys = torch.arange(start + length)
    hidden = keys[None, :] >= ((position - start) // block * block + start)[:, None]  # [L, S + L]
    layers = iter(kept)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        kc, vc = next(layers)
        draws, heads, _, dim = q.shape
        kv = k.shape[1]
        group, blocks = heads // kv, length // block
        # All draws and all query heads of a group are rows of one product per key/value head: [KV, R * G * L, D].
        rows = (q * dim**-0.5).reshape(draws, kv, group * length, dim)
        folded = rows.transpose(0, 1).reshape(kv, draws * group * length, dim)
        outside = (folded @ kc[0].transpose(-1, -2)).view(kv, draws, group, length, len(keys)).transpose(0, 1)
        outside = outside.masked_fill(hidden.to(q.device), float("-inf"))
        qb = rows.view(draws, kv, group, blocks, block, dim)
        kb = k.reshape(draws, kv, 1, blocks, block, dim)
        vb = v.reshape(draws, kv, 1, blocks, block, dim)
        inside = (qb @ kb.transpose(-1, -2)).view(draws, kv, group, length, block)
        weight = torch.cat([outside, inside], dim=-1).softmax(dim=-1)
        far = weight[..., : len(keys)].transpose(0, 1).reshape(kv, draws * group * length, len(keys)) @ vc[0]
        far = far.view(kv, draws, group, length, dim).transpose(0, 1)
        near = weight[..., len(keys) :].reshape(draws, kv, group, blocks, block, block) @ vb
        return (far + near.view(draws, kv, group, length, dim)).reshape(draws, heads, length, dim)

    return attend
