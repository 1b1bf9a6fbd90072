"""int4 weights exactly as src/convert/write/quantize.ts writes them, and training through them.

Groups of 32 weights share an fp16 scale; value = scale * (q - 8). Every sum runs in the converter's order and in float64, so that the
codes are equal to the byte (tests/int4/test_quantize.py runs the converter). In training the forward pass uses the rounded weights, and
the gradient passes the rounding as if it were not there (straight-through estimator).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recipe.model.converted import GROUP, dequantize_int4
from recipe.model.llama import Llama
from recipe.model.lora import LoraLinear
from recipe.progress import progress

Floats = NDArray[np.float64]

REACHES = (1.0, 2.0, 3.0, 4.0, 5.0, *(5.75 + 0.25 * i for i in range(16)))
"""Tried distances, in codes, of the group's largest magnitude from zero, each with both signs. The first five find the grid of weights
that are on one already, as recipe.int4.gptq leaves them."""
REFITS = 3
CHUNK = 8192
"""Groups in work at once: a few megabytes."""
SEARCH_EVERY = 50
"""Training steps between full searches of the scales, half a minute for 135M weights. In between the scales are refitted."""


def levels_of(x: Floats, inverse: Floats) -> Floats:
    """The nearest levels -8..7 of x [32, G] at 1 / scale [G]. Truncation after adding 8.5 rounds; values below zero are clamped."""
    scaled = x * inverse
    scaled += 8.5
    np.trunc(scaled, out=scaled)
    np.clip(scaled, 0, 15, out=scaled)
    scaled -= 8
    return scaled


def fit(x: Floats, level: Floats) -> tuple[Floats, Floats]:
    """Sums over the group of x * level and level^2, each [G], from the first weight to the last."""
    return np.add.reduce(x * level, axis=0), np.add.reduce(level * level, axis=0)


def search_scale(x: Floats) -> Floats:
    """The scale [G] with the least error among all reaches and both signs, each fitted to its codes by least squares."""
    groups = np.arange(x.shape[1])
    largest = x[np.abs(x).argmax(axis=0), groups]
    best_score, best_scale = np.full(len(groups), -1.0), np.zeros(len(groups))
    with np.errstate(all="ignore"):  # a group of zeros divides by zero and stays at scale 0
        for reach in REACHES:
            for signed in (-reach, reach):
                dot, square = fit(x, levels_of(x, signed / largest))
                score = dot * dot / square
                better = score > best_score
                best_score = np.where(better, score, best_score)
                best_scale = np.where(better, dot / square, best_scale)
    return np.where(largest == 0, 0.0, best_scale)


def choose_int4(x: Floats) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Codes [32, G] and scales [G] of x [32, G]: rounds with the scale as stored, fits the scale to the codes, and repeats."""
    scale = search_scale(x)
    codes = np.full(x.shape, 8, dtype=np.uint8)
    best_scale = np.zeros(len(scale), dtype=np.float16)
    best_error = np.full(len(scale), np.inf)
    active = scale != 0
    with np.errstate(all="ignore"):
        for _ in range(REFITS):
            stored = scale.astype(np.float16)
            active &= stored != 0
            if np.isinf(stored[active]).any():
                raise ValueError("a weight is too large for a 16-bit scale")
            exact = stored.astype(np.float64)
            level = levels_of(x, 1 / exact)
            dot, square = fit(x, level)
            rest = x - exact * level
            error = np.add.reduce(rest * rest, axis=0)
            better = active & (error < best_error)
            best_error = np.where(better, error, best_error)
            best_scale = np.where(better, stored, best_scale).astype(np.float16)
            codes[:, better] = level[:, better] + 8
            scale = np.where(square == 0, 0.0, dot / square)
            active &= scale != 0
    return codes, best_scale


def quantize_int4(weights: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """weights [N, K] -> data [N, K/32, 16], low nibble = even k, and scales [N, K/32]: the bytes of the converter.

    Raises ValueError if a weight is not finite or too large for a 16-bit scale, as the converter does.
    """
    if not np.isfinite(weights).all():
        raise ValueError("a weight is not a finite number")
    rows = weights.reshape(-1, GROUP)
    data = np.empty((len(rows), GROUP // 2), dtype=np.uint8)
    scales = np.empty(len(rows), dtype=np.float16)
    for start in range(0, len(rows), CHUNK):
        x = np.ascontiguousarray(rows[start : start + CHUNK].T, dtype=np.float64)
        codes, scales[start : start + CHUNK] = choose_int4(x)
        data[start : start + CHUNK] = (codes[0::2] | codes[1::2] << 4).T
    return data.reshape(len(weights), -1, GROUP // 2), scales.reshape(len(weights), -1)


def rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """weight [N, K] as the engine reads it back, and its scales [N, K/32]."""
    data, scales = quantize_int4(weight.detach().float().cpu().numpy())
    value = torch.from_numpy(dequantize_int4(data, scales)).to(weight.device)
    return value, torch.from_numpy(scales.astype(np.float32)).to(weight.device)


def codes(value: Tensor, scale: Tensor) -> Tensor:
    """The nearest whole multiples -8..7 of `scale`; zero where it is."""
    return torch.where(scale == 0, 0.0, value / scale).add_(0.5).floor_().clamp_(-8, 7)


def codes_under(weight: Tensor, scales: Tensor) -> Tensor:
    """Levels -8..7, [N, K/32, 32], of weight [N, K] nearest under given scales [N, K/32]; zero where the scale is."""
    return codes(weight.view(len(weight), -1, GROUP), scales[..., None])


def rounded_with(weight: Tensor, scales: Tensor) -> Tensor:
    """weight [N, K] rounded with given scales [N, K/32]."""
    return codes_under(weight, scales).mul_(scales[..., None]).view_as(weight)


def refitted(weight: Tensor, scales: Tensor) -> Tensor:
    """Scales [N, K/32] fitted by least squares to the codes of weight [N, K] under `scales`. They follow weights that move a little."""
    groups = weight.view(len(weight), -1, GROUP)
    levels = codes_under(weight, scales)
    square = levels.square().sum(-1)
    fitted = (groups * levels).sum(-1) / square
    return torch.where(square == 0, scales, fitted.half().float())


class QuantizedWeights:
    """Keeps a model's forward pass on int4 weights while its adapters train.

    The frozen embedding is rounded in place at once. Copy its rows for the LM head only afterwards.
    """

    def __init__(self, model: Llama) -> None:
        self.model = model
        self.adapted = [module for module in model.modules() if isinstance(module, LoraLinear)]
        self.scales: list[Tensor] = []
        self.refreshed = 0
        with torch.no_grad():
            model.embed_tokens.weight.copy_(rounded(model.embed_tokens.weight)[0])
            for module in model.modules():
                if isinstance(module, nn.Linear) and not any(module is adapted.base for adapted in self.adapted):
                    module.weight.copy_(rounded(module.weight)[0])
        self.refresh()

    @torch.no_grad()
    def refresh(self) -> None:
        """Rounds the merged weights. Call it after every optimizer step."""
        if self.refreshed % SEARCH_EVERY == 0:
            self.scales = [rounded(module.merged())[1] for module in progress(self.adapted, "searching scales")]
        else:
            self.scales = [refitted(module.merged(), scales) for module, scales in zip(self.adapted, self.scales, strict=True)]
        self.refreshed += 1
        self.round()

    @torch.no_grad()
    def round(self) -> None:
        """Rounds with the present scales."""
        for module, scales in zip(self.adapted, self.scales, strict=True):
            module.rounded = rounded_with(module.merged(), scales)
        if self.model.mask_embedding is not None:
            mask = self.model.mask_embedding
            self.model.mask_rounding = rounded(mask[None])[0][0] - mask

    def state(self) -> dict[str, Any]:
        """The scales, for a resumed run."""
        return {"scales": self.scales, "refreshed": self.refreshed}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state(). The adapters must be restored before."""
        self.scales, self.refreshed = state["scales"], state["refreshed"]
        self.round()
