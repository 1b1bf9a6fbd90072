"""python -m recipe soup A B: one adapter between two, as a weighted mean of their changes of the weights.

A run that starts from another one and learns something new also forgets. The mean of both is often better than either (Wortsman et al.
2022, arXiv 2109.01903). The mean of two products of rank r has rank 2r; its best approximation of rank r is kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from recipe.progress import progress


def mixed_factors(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], share: float) -> tuple[Tensor, Tensor]:
    """(A [r, in], B [out, r]) with the product nearest to (1 - share) B0 A0 + share B1 A1."""
    (a0, b0), (a1, b1) = first, second
    q_out, r_out = torch.linalg.qr(torch.cat([(1 - share) * b0, share * b1], dim=1))
    q_in, r_in = torch.linalg.qr(torch.cat([a0, a1]).T)
    u, s, v = torch.linalg.svd(r_out @ r_in.T)
    # A small matrix has fewer singular values than the adapter has rows: the other rows stay 0.
    rank = min(len(a0), len(s))
    root = s[:rank].sqrt()
    a, b = torch.zeros_like(a0), torch.zeros_like(b0)
    a[:rank] = root[:, None] * (q_in @ v.T[:, :rank]).T
    b[:, :rank] = (q_out @ u[:, :rank]) * root
    return a, b


def mixed(first: dict[str, Tensor], second: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Tensors of an adapter at `share` of the way from the first to the second."""
    assert first.keys() == second.keys(), "the adapters belong to different models"
    result = {name: torch.lerp(tensor.float(), second[name].float(), share) for name, tensor in first.items()}
    for name in progress(first, "tensors"):
        if name.endswith("lora_a"):
            other = name.removesuffix("a") + "b"
            pair = ((first[name].float(), first[other].float()), (second[name].float(), second[other].float()))
            result[name], result[other] = mixed_factors(*pair, share)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("adapters", type=Path, nargs=2)
    parser.add_argument("--share", type=float, default=0.5, help="of the second")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    first, second = (load_file(path) for path in arguments.adapters)
    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in mixed(first, second, arguments.share).items()}
    save_file(tensors, arguments.out, metadata={"rank": "64", "scale": "2.0"})
