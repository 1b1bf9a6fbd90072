"""A small Llama forward in PyTorch that takes its attention pattern as an argument.

Parameter names are the Hugging Face names without the leading "model.", so that an export only renames them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(q [B, H, S, D], k [B, KV, S, D], v [B, KV, S, D]) -> [B, H, S, D]. The rotary embedding is already applied."""


@dataclass(frozen=True)
class LlamaConfig:
    """Shape of a Llama decoder; the defaults are SmolLM2-135M."""

    hidden_size: int = 576
    intermediate_size: int = 1536
    layers: int = 30
    heads: int = 9
    kv_heads: int = 3
    head_dim: int = 64
    vocab_size: int = 49152
    rope_theta: float = 1e5
    rms_norm_eps: float = 1e-5
    max_positions: int = 8192


def rotary_tables(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """cos and sin, each [..., S, head_dim], for positions [..., S], in the rotate-half layout."""
    inverse = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float32, device=positions.device) / head_dim)
    angles = positions.to(torch.float32)[..., None] * inverse
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of x [B, H, S, D] by tables [S, D], or [B, 1, S, D]."""
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-high, low], dim=-1) * sin


class SelfAttention(nn.Module):
    """Grouped-query attention. The caller decides which position sees which."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        d, hd = config.hidden_size, config.head_dim
        self.q_proj = nn.Linear(d, config.heads * hd, bias=False)
        self.k_proj = nn.Linear(d, config.kv_heads * hd, bias=False)
        self.v_proj = nn.Linear(d, config.kv_heads * hd, bias=False)
        self.o_proj = nn.Linear(config.heads * hd, d, bias=False)

    def project(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, S, d] -> q [B, H, S, D], k and v [B, KV, S, D], rotated."""
        batch, rows, _ = x.shape
        shape = (batch, rows, -1, self.config.head_dim)
        q = rotate(self.q_proj(x).view(shape).transpose(1, 2), cos, sin)
        k = rotate(self.k_proj(x).view(shape).transpose(1, 2), cos, sin)
        return q, k, self.v_proj(x).view(shape).transpose(1, 2)

    def output(self, attended: Tensor) -> Tensor:
        """[B, H, S, D] -> [B, S, d]"""
        batch, _, rows, _ = attended.shape
        out: Tensor = self.o_proj(attended.transpose(1, 2).reshape(batch, rows, -1))
        return out


class Mlp(nn.Module):
    """SwiGLU."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        d, ff = config.hidden_size, config.intermediate_size
        self.gate_proj = nn.Linear(d, ff, bias=False)
        self.up_proj = nn.Linear(d, ff, bias=False)
        self.down_proj = nn.Linear(ff, d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class DecoderLayer(nn.Module):
    """Pre-norm attention and MLP with residuals."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.self_attn = SelfAttention(config)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.mlp = Mlp(config)

    def before_attention(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, S, d] -> q, k, v of its normed rows."""
        return self.self_attn.project(self.input_layernorm(x), cos, sin)

    def after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        """The layer's output [B, S, d], from its input and what attention has gathered [B, H, S, D]."""
        x = x + self.self_attn.output(attended)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, attend: Attend) -> Tensor:
        return self.after_attention(x, attend(*self.before_attention(x, cos, sin)))


def compile_layers(model: Llama, backend: str | Callable[..., object] = "inductor") -> None:
    """Compiles the layers' parts before and after attention for fixed shapes. Attention keeps state between layers and stays out."""
    for layer in model.layers:
        for name in ("before_attention", "after_attention"):
            setattr(layer, name, torch.compile(getattr(layer, name), dynamic=False, backend=backend))


class Llama(nn.Module):
    """Llama decoder with tied embeddings.

    `mask_embedding`, if set, replaces the embedding row of `mask_id`: one trainable row beside a frozen table.
    """

    mask_embedding: nn.Parameter | None
    mask_rounding: Tensor | None = None
    """[d], if set: added to mask_embedding, so that the sum is the value that is stored (recipe.int4.quantize)."""

    def __init__(self, config: LlamaConfig, mask_id: int | None = None) -> None:
        super().__init__()
        self.config = config
        self.mask_id = mask_id
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.register_parameter("mask_embedding", None)

    def hidden(self, ids: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Final normed states [B, S, d] of ids [B, S] at positions [S], or [B, S] where texts differ in them."""
        x: Tensor = self.embed_tokens(ids)
        if self.mask_embedding is not None and self.mask_id is not None:
            mask: Tensor = self.mask_embedding
            if self.mask_rounding is not None:
                mask = mask + self.mask_rounding
            x = torch.where(torch.eq(ids, self.mask_id)[..., None], mask.to(x.dtype), x)
        cos, sin = rotary_tables(positions, self.config.head_dim, self.config.rope_theta)
        cos, sin = cos.to(x.dtype), sin.to(x.dtype)
        if positions.dim() == 2:
            cos, sin = cos[:, None], sin[:, None]
        for layer in self.layers:
            x = layer(x, cos, sin, attend)
        out: Tensor = self.norm(x)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., d] -> [..., V] through the tied embedding."""
        return F.linear(hidden, self.embed_tokens.weight)
