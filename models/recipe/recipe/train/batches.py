"""How a run cuts its optimizer steps into forwards: one text a core, or some texts at once."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from recipe.device import best_device
from recipe.train import processes

T = TypeVar("T")


@dataclass(frozen=True)
class Forwards:
    """How a run uses its device."""

    workers: int = 1  # texts side by side, one a core, where microbatch is 0
    microbatch: int = 0  # texts in one forward; 0: one text a core
    compiled: bool = False  # the layers, by torch.compile


def add_flags(parser: argparse.ArgumentParser, threads: int) -> None:
    """The flags of forwards_of."""
    parser.add_argument("--threads", type=int, default=threads, help="CPU cores to use")
    parser.add_argument(
        "--microbatch", type=int, help="texts in one forward; 0: one text a core. Default: --batch on a GPU, 0 on a CPU; divides --batch"
    )
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, help="the layers, by torch.compile. Default: on a GPU")


def forwards_of(parser: argparse.ArgumentParser, arguments: Mapping[str, object], batch: int, rounded: bool = False) -> Forwards:
    """Forwards as the flags say. `rounded`: the weights change their rounding at every step, so nothing can be compiled."""
    gpu = best_device().type == "cuda"
    threads, wanted, asked = (arguments[name] for name in ("threads", "microbatch", "compile"))
    assert isinstance(threads, int)
    microbatch = wanted if isinstance(wanted, int) else (batch if gpu else 0)
    if microbatch and batch % microbatch:
        parser.error("--microbatch divides --batch")
    if asked and not microbatch:
        parser.error("--compile needs --microbatch: shapes of single texts differ")
    if asked and rounded:
        parser.error("--compile and --qat do not go together: the rounding changes at every step")
    compiled = bool(asked) if asked is not None else gpu and microbatch > 0 and not rounded
    return Forwards(1 if gpu or microbatch else threads, microbatch, compiled)


def given(arguments: Mapping[str, object]) -> dict[str, object]:
    """Those of the flags that a command line names, and --threads: the part of a run's record that is theirs."""
    return {name: arguments[name] for name in ("threads", "microbatch", "compile") if arguments[name] is not None}


def own_indices(first: int, count: int) -> list[int]:
    """Indices of this process's texts of a step. `first`: that of the step's first text over all processes."""
    return [first + offset * processes.count() + processes.rank() for offset in range(count)]


def split(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Runs of `size` items."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def mean_numbers(records: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Mean of every number over the records that have it; a value that is no number counts as absent."""
    values: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.items():
            if np.isfinite(value):
                values.setdefault(name, []).append(value)
    return {name: float(np.mean(found)) for name, found in values.items()}


def plain_numbers(found: Mapping[str, Tensor]) -> dict[str, float]:
    """The scalars of a device, fetched at once."""
    values = torch.stack([value.detach().float() for value in found.values()]).tolist()
    return dict(zip(found, values, strict=True))


class Ahead(Generic[T]):
    """The next step's data, made while the device still works on this one's."""

    def __init__(self, make: Callable[[int, bool], T]) -> None:
        """make(first index, stage): the data of a step, a function of its arguments."""
        self.make = make
        self.ready: tuple[tuple[int, bool], T] | None = None

    def take(self, first: int, stage: bool) -> T:
        """The data of a step."""
        if self.ready and self.ready[0] == (first, stage):
            return self.ready[1]
        return self.make(first, stage)

    def prepare(self, first: int, stage: bool) -> None:
        """Makes what the next `take` will probably want."""
        self.ready = ((first, stage), self.make(first, stage))
