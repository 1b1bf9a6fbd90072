"""The model's own trajectories (`npm run trajectories`): which positions a generation decided in which forward."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trajectory:
    """One generation: a prompt, its continuation ids [N] and when each of them was decided."""

    prompt: tuple[int, ...]
    ids: tuple[int, ...]
    decided: tuple[int, ...]  # [N], 1 = the first forward that decided a position; the last of several decisions counts
    block: int  # tokens per block of the grid that begins after the prompt; 1 if decoding followed none
    log_likelihood: float  # sum over the ids, each when it was decided: the trajectory's own bound, nats

    @property
    def per_token(self) -> float:
        """Log-likelihood per token, nats."""
        return self.log_likelihood / len(self.ids)

    @property
    def steps_per_token(self) -> float:
        """Forwards per token of the continuation. Forwards without a lasting decision do not count."""
        return len(set(self.decided)) / len(self.ids)

    def state(self, step: int, mask_id: int) -> list[int]:
        """The canvas [N] before a forward: ids that earlier forwards decided for good, the mask token elsewhere."""
        return [token if at < step else mask_id for token, at in zip(self.ids, self.decided, strict=True)]


def final_steps(steps: list[list[int]], step_ids: list[list[int]], ids: list[int]) -> tuple[int, ...]:
    """Step (from 1) of the last decision of each of `ids` [N]. Raises ValueError if the steps do not lead to them."""
    canvas: dict[int, tuple[int, int]] = {}
    for number, (offsets, tokens) in enumerate(zip(steps, step_ids, strict=True), start=1):
        for offset, token in zip(offsets, tokens, strict=True):
            canvas[offset] = (token, number)
    missing = [offset for offset, token in enumerate(ids) if canvas.get(offset, (None, 0))[0] != token]
    if missing:
        raise ValueError(f"the steps do not lead to the ids at offsets {missing[:5]}")
    return tuple(canvas[offset][1] for offset in range(len(ids)))


def parse_trajectory(record: dict[str, Any]) -> Trajectory:
    """The trajectory of a line. Raises ValueError for a line without `step_ids`, which an older npm run trajectories wrote."""
    if "step_ids" not in record:
        raise ValueError("no step_ids: the file is of an older npm run trajectories")
    decided = final_steps(record["steps"], record["step_ids"], record["ids"])
    return Trajectory(tuple(record["prompt"]), tuple(record["ids"]), decided, int(record["block"]), float(record["log_likelihood"]))


def read_trajectories(lines: Iterable[str]) -> Iterator[Trajectory]:
    """The trajectories of lines, without empty ones."""
    for line in lines:
        record = json.loads(line)
        if record["ids"]:
            yield parse_trajectory(record)
