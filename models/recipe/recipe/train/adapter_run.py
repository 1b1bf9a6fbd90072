"""The common part of all training of adapters: optimizer, wall clock, log and a checkpoint to resume from."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from recipe.model.llama import Llama
from recipe.model.lora import adapter_state, save_adapter
from recipe.train import processes

T = TypeVar("T")
R = TypeVar("R")


def fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16. A training step then takes 0.6 of its time in float32."""
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def half_precision(device: torch.device) -> bool:
    """Whether forwards use bfloat16: on CUDA, and on a processor that multiplies it."""
    return device.type == "cuda" or fast_bfloat16()


def precision(device: torch.device) -> AbstractContextManager[Any]:
    """The precision of forward passes on a device."""
    if not half_precision(device):
        return nullcontext()
    # Without the cache of casts: all threads share it, and workers run side by side.
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)


class AdapterRun:
    """The trained tensors of a model and their optimizer, in a folder."""

    def __init__(self, model: Llama, folder: Path, workers: int = 1) -> None:
        """`workers`: how many parts of an optimizer step run side by side."""
        self.model, self.folder = model, folder
        self.device = next(model.parameters()).device
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=0.0, betas=(0.9, 0.95), weight_decay=0.0)
        self.step = 0
        self.seconds = 0.0  # wall clock of earlier processes of this run
        self.started = time.monotonic()
        self.saved = 0.0  # seconds at the last checkpoint
        folder.mkdir(parents=True, exist_ok=True)
        processes.same(self.trained)
        # One part per core. Threads inside an operation would meet at thousands of barriers a step, and each barrier
        # would wait for the core that other processes use.
        self.pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) if workers > 1 else None

    def each(self, gradient: Callable[[T], R], parts: Iterable[T]) -> list[R]:
        """`gradient` of every part, in their order."""
        return list(self.pool.map(gradient, parts) if self.pool else map(gradient, parts))

    @property
    def elapsed(self) -> float:
        """Seconds of wall clock over all processes of the run."""
        return self.seconds + time.monotonic() - self.started

    def autocast(self) -> AbstractContextManager[Any]:
        """The run's precision, for forward passes."""
        return precision(self.device)

    def descend(self, gradients: list[tuple[Tensor, ...]], rate: float, clip: float) -> float:
        """One optimizer step along the mean of the gradients; returns its norm before clipping. A gradient has a tensor per trained tensor.

        Gradients are summed in the given order, whichever worker finished first, so that a run is reproducible.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        means = [grads[0] if len(grads) == 1 else torch.stack(grads).mean(dim=0) for grads in zip(*gradients, strict=True)]
        processes.average(means)
        for parameter, mean in zip(self.trained, means, strict=True):
            parameter.grad = mean
        norm = float(torch.nn.utils.clip_grad_norm_(self.trained, clip))
        if not np.isfinite(norm):
            raise FloatingPointError(f"gradient norm {norm} at step {self.step}")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return norm

    def log(self, record: dict[str, Any]) -> None:
        """Appends one line to log.jsonl. With several processes it is rank 0 that writes, and the numbers are those of its texts."""
        if processes.rank() > 0:
            return
        record = {"step": self.step, "elapsed_s": round(self.elapsed, 1)} | record
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps({k: round(v, 6) if isinstance(v, float) else v for k, v in record.items()}) + "\n")

    def state(self) -> dict[str, Any]:
        """The state for `restore`: plain values and tensors."""
        return {
            "adapter": adapter_state(self.model),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.elapsed,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a `state`."""
        own = adapter_state(self.model)
        assert state["adapter"].keys() == own.keys(), "the checkpoint belongs to another model"
        for name, tensor in state["adapter"].items():
            own[name].copy_(tensor)
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.started, self.saved = time.monotonic(), self.seconds

    def save_when_due(self, minutes: float) -> None:
        """Writes a checkpoint if the last one is older than this."""
        if self.elapsed - self.saved > 60 * minutes:
            self.save()

    def save(self) -> None:
        """Writes state.pt to resume from and adapter.safetensors to use, first under other names, so that a kill leaves the old files."""
        if processes.rank() > 0:
            return
        torch.save(self.state(), self.folder / "state.tmp")
        (self.folder / "state.tmp").replace(self.folder / "state.pt")
        save_adapter(self.model, self.folder / "adapter.tmp")
        (self.folder / "adapter.tmp").replace(self.folder / "adapter.safetensors")
        self.saved = self.elapsed

    def resume(self) -> None:
        """Continues from state.pt. The next step equals that of an uninterrupted run to the bit."""
        self.restore(torch.load(self.folder / "state.pt", map_location=self.device, weights_only=True))
