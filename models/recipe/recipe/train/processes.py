"""Several processes that train one model, one per GPU, started by torchrun. Alone, a process is rank 0 of 1.

Each process takes its own texts: the text with index i is a function of seed and i, and rank r of n takes every n-th from r on. A step of n
processes with `--batch b` is that of one process with `--batch n * b`, up to the order of the sums.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from recipe.device import best_device


def join() -> None:
    """Joins the other processes, if torchrun has started several."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        device = best_device()
        if device.type == "cuda":
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def leave() -> None:
    """Waits for the others and ends the group."""
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def average(tensors: Sequence[Tensor]) -> None:
    """Replaces each tensor by its mean over the processes, in one transfer."""
    if count() > 1:
        joined = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(joined)
        joined /= count()
        for tensor, part in zip(tensors, torch.split(joined, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))


@torch.no_grad()
def same(tensors: Sequence[Tensor]) -> None:
    """Replaces each tensor by that of rank 0."""
    if count() > 1:
        for tensor in tensors:
            dist.broadcast(tensor, 0)


def agreed(value: float) -> float:
    """The value of rank 0. Clocks differ, and all processes must end at the same step."""
    if count() == 1:
        return value
    told = torch.tensor([value], dtype=torch.float64, device=best_device())
    dist.broadcast(told, 0)
    return float(told)
