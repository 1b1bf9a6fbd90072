"""python -m recipe gptq: rounds an exported model to int4 so that its outputs change least, matrix by matrix.

Rounding to nearest keeps each weight close, but the product with real inputs matters. The rounding error of each column is passed on to
the columns that are not rounded yet, in proportion to the correlation of their inputs: GPTQ (Frantar et al. 2022, arXiv 2210.17323),
section 3. The layers are rounded in order, each on the outputs of the rounded layers before it. Half of the calibration rows are noisy,
because masked inputs matter (Quant-dLLM, arXiv 2510.03274).

The result is an ordinary export whose matrices lie on the int4 grid of src/convert/write/quantize.ts, so converting it loses nothing.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from recipe.data.token_files import load_split
from recipe.data.windows import Windows
from recipe.device import best_device
from recipe.int4.quantize import REACHES, codes, rounded
from recipe.model.attention import two_stream
from recipe.model.converted import GROUP
from recipe.model.exported import load_export, write_model
from recipe.model.llama import DecoderLayer, Llama, rotary_tables
from recipe.paths import cache_dir
from recipe.progress import progress
from recipe.train.adapter_run import precision
from recipe.train.noise import draw_block_length, draw_mask

DAMPING = 0.01
"""Share of the mean diagonal that is added to the Hessian, so that it stays invertible if inputs hardly vary."""
LENGTH = 256


@dataclass
class Calibration:
    """One text under one mask: its residual stream x [1, 2L, d] = [noisy | clean], and its block length."""

    x: Tensor
    block: int


def inverse_factor(hessian: Tensor) -> Tensor:
    """Upper Cholesky factor of the inverse of a damped Hessian [K, K]."""
    damped = hessian + DAMPING * hessian.diagonal().mean() * torch.eye(len(hessian), dtype=hessian.dtype, device=hessian.device)
    factor: Tensor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)
    return factor


def scales_of(weight: Tensor, importance: Tensor) -> Tensor:
    """Scale [N] of each row of a group, weight [N, 32], with the least error weighted by `importance` [32], the squares of the inputs.

    This is the search of the converter (recipe.int4.quantize), whose weights are all 1.
    """
    largest = weight.gather(1, weight.abs().argmax(dim=1, keepdim=True))
    tried = []
    for reach in REACHES:
        for signed in (-reach, reach):
            level = codes(weight, largest / signed)
            square = (importance * level.square()).sum(1)
            fitted = torch.where(square == 0, 0.0, (importance * weight * level).sum(1) / square).half().float()
            error = (importance * (weight - levels(weight, fitted[:, None])).square()).sum(1)
            tried.append((error, fitted))
    errors, scales = (torch.stack(part) for part in zip(*tried, strict=True))
    best: Tensor = scales.gather(0, errors.argmin(dim=0, keepdim=True))[0]
    return best


def levels(value: Tensor, scale: Tensor) -> Tensor:
    """`value` as it is stored under `scale`."""
    return codes(value, scale) * scale


def round_matrix(weight: Tensor, hessian: Tensor) -> Tensor:
    """weight [N, K] on the int4 grid, given hessian [K, K] = X^T X of its inputs X [rows, K].

    Columns with the largest inputs come first, while many columns are left to take up their error. Scales belong to groups in the stored
    order, so they are chosen before.
    """
    diagonal = hessian.diagonal()
    importance = diagonal + DAMPING * diagonal.mean()
    groups = range(0, weight.shape[1], GROUP)
    scales = [scales_of(weight[:, at : at + GROUP], importance[at : at + GROUP]) for at in progress(groups, "scales")]
    order = diagonal.argsort(descending=True, stable=True)
    places = order.tolist()
    factor = inverse_factor(hessian[order][:, order].double()).float()
    left = weight[:, order].clone()
    out = torch.empty_like(weight)
    for start in progress(groups, "columns"):
        end = start + GROUP
        errors = torch.zeros(len(weight), GROUP, device=weight.device)
        for column in range(start, end):
            place = places[column]
            value = left[:, column]
            out[:, place] = levels(value, scales[place // GROUP])
            error = (value - out[:, place]) / factor[column, column]
            left[:, column:end] -= error[:, None] * factor[column, column:end]
            errors[:, column - start] = error
        left[:, end:] -= errors @ factor[start:end, end:]
    return out


class Inputs:
    """X^T X of every linear layer of a module, collected while it runs."""

    def __init__(self, module: nn.Module) -> None:
        self.hessians: dict[str, Tensor] = {}
        self.handles = [
            child.register_forward_pre_hook(self._hook(name)) for name, child in module.named_modules() if isinstance(child, nn.Linear)
        ]

    def _hook(self, name: str):  # type: ignore[no-untyped-def]
        def collect(_module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            rows = arguments[0].flatten(0, -2).float()
            with torch.autocast(rows.device.type, enabled=False):  # in 16 bits the sum would not be positive definite
                product = rows.T @ rows
                self.hessians[name] = self.hessians[name] + product if name in self.hessians else product

        return collect

    def close(self) -> None:
        for handle in self.handles:
            handle.remove()


def run_layer(layer: DecoderLayer, item: Calibration, cos: Tensor, sin: Tensor) -> Tensor:
    """The layer's output [1, 2L, d]."""
    with precision(item.x.device):
        out: Tensor = layer(item.x, cos, sin, two_stream(item.x.shape[1] // 2, item.block))
    return out.float()


def round_embedding(model: Llama, states: Tensor) -> None:
    """Rounds the tied embedding in place for the rows [N, d] that the head multiplies. Rounding to nearest would cost ten times as much.

    The row of the mask token is only an input, never a candidate, and is rounded to nearest.
    """
    assert model.mask_id is not None
    embedding = model.embed_tokens.weight
    mask = rounded(embedding[model.mask_id : model.mask_id + 1])[0]
    embedding.copy_(round_matrix(embedding, states.T @ states))
    embedding[model.mask_id] = mask


@torch.no_grad()
def round_model(model: Llama, ids: list[Tensor], masks: list[Tensor], blocks: list[int]) -> None:
    """Rounds every matrix of a merged model in place, calibrated on texts ids [L] under masks [L].

    The embedding is rounded first, so that the layers are calibrated on their final inputs.
    """
    assert model.mask_id is not None
    position = torch.arange(len(ids[0]), device=ids[0].device).repeat(2)
    cos, sin = rotary_tables(position, model.config.head_dim, model.config.rope_theta)
    both = [torch.cat([torch.where(mask, model.mask_id, text), text]) for text, mask in zip(ids, masks, strict=True)]

    def embedded() -> list[Calibration]:
        return [Calibration(model.embed_tokens(one)[None], block) for one, block in zip(both, blocks, strict=True)]

    items = embedded()
    for layer in progress(model.layers, "calibration, layers"):
        assert isinstance(layer, DecoderLayer)
        for item in items:
            item.x = run_layer(layer, item, cos, sin)
    print("rounding the embedding", flush=True)
    round_embedding(model, torch.cat([model.norm(item.x[0]) for item in items]))
    items = embedded()
    for number, layer in enumerate(model.layers):
        assert isinstance(layer, DecoderLayer)
        inputs = Inputs(layer)
        for item in items:
            run_layer(layer, item, cos, sin)
        inputs.close()
        for name, module in layer.named_modules():
            if isinstance(module, nn.Linear):
                module.weight.copy_(round_matrix(module.weight, inputs.hessians[name]))
        for item in items:
            item.x = run_layer(layer, item, cos, sin)
        print(f"layer {number + 1} of {len(model.layers)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=cache_dir() / "export" / "seedling-135m", help="an export, rounded in place")
    parser.add_argument("--texts", type=int, default=64, help="calibration texts of 256 tokens, from the training packages")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    windows = Windows(load_split("train").values(), LENGTH, seed=12)
    rng = np.random.default_rng(12)
    blocks = [draw_block_length(rng) for _ in range(arguments.texts)]
    device = best_device()
    masks = [torch.from_numpy(draw_mask(LENGTH, block, rng)).to(device) for block in blocks]
    ids = [torch.from_numpy(windows.window(index)).to(device) for index in range(arguments.texts)]
    model = load_export(arguments.model).to(device)
    round_model(model, ids, masks, blocks)
    write_model(model, arguments.model)
