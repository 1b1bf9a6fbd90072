"""python -m recipe orders FILE.jsonl: the best of each pool of trajectories (`npm run trajectories -- --pool K`) as training orders.

Constrained-order training, Seed Diffusion (arXiv 2508.02193), section 3.2: a pool of the model's own trajectories is filtered by
likelihood, and few-step trajectories come first among equally likely ones. `python -m recipe train --orders` trains on their states.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipe.orders.own import loops
from recipe.orders.trajectories import Trajectory, read_trajectories
from recipe.paths import cache_dir


@dataclass(frozen=True)
class Selection:
    """Which trajectories of a pool are kept."""

    keep: int  # of one pool, at most
    tolerance: float  # nats per token: trajectories this close to the pool's likeliest one count as equally likely
    most_steps: float  # steps per token; a trajectory that took more teaches no shortcut


@dataclass(frozen=True)
class Orders:
    """Kept trajectories as arrays."""

    texts: NDArray[np.uint16]  # [N, L], prompt and continuation
    steps: NDArray[np.uint16]  # [N, L], the step that decided the position, 0 in the prompt
    blocks: NDArray[np.uint16]  # [N], tokens per block of the grid from position 0; 1 if decoding followed none

    def save(self, path: Path) -> None:
        """Compressed npz."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, texts=self.texts, steps=self.steps, blocks=self.blocks)

    @staticmethod
    def load(path: Path) -> Orders:
        """Reads a file that `save` wrote."""
        with np.load(path) as file:
            return Orders(file["texts"], file["steps"], file["blocks"])


def best_of(pool: Iterable[Trajectory], selection: Selection) -> list[Trajectory]:
    """The kept trajectories of one prompt, best first: within the tolerance of the likeliest, by steps per token, then by likelihood.

    Loops are dropped before that, because nothing is likelier than the next turn of a loop. Trajectories with the same ids in the same
    order count once.
    """
    distinct = {(one.ids, one.decided): one for one in pool if not loops(list(one.ids))}
    sound = [one for one in distinct.values() if one.steps_per_token <= selection.most_steps]
    if not sound:
        return []
    likeliest = max(one.per_token for one in sound)
    near = [one for one in sound if one.per_token >= likeliest - selection.tolerance]
    near.sort(key=lambda one: (one.steps_per_token, -one.per_token))
    return near[: selection.keep]


def on_grid(one: Trajectory, length: int) -> tuple[list[int], list[int]] | None:
    """Ids [length] and steps [length]. The prompt is cut at its left, so that blocks begin at multiples. None if the text is too short."""
    cut = len(one.prompt) % one.block
    prompt = one.prompt[cut:]
    text, steps = [*prompt, *one.ids], [*[0] * len(prompt), *one.decided]
    return (text[:length], steps[:length]) if len(text) >= length and len(prompt) < length else None


def kept_orders(trajectories: Iterable[Trajectory], selection: Selection, length: int) -> Orders:
    """The best of every pool: the trajectories of one prompt. Trajectories shorter than `length` are left out."""
    pools: dict[tuple[int, ...], list[Trajectory]] = defaultdict(list)
    for one in trajectories:
        if on_grid(one, length):
            pools[one.prompt].append(one)
    kept = [one for pool in pools.values() for one in best_of(pool, selection)]
    rows = [row for one in kept if (row := on_grid(one, length))]
    texts = np.array([text for text, _ in rows], dtype=np.uint16).reshape(-1, length)
    steps = np.array([steps for _, steps in rows], dtype=np.uint16).reshape(-1, length)
    return Orders(texts, steps, np.array([one.block for one in kept], dtype=np.uint16))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--keep", type=int, default=2, help="trajectories of one pool")
    parser.add_argument("--tolerance", type=float, default=0.05, help="nats per token that a shorter trajectory may be less likely")
    parser.add_argument("--most-steps", type=float, default=1.0, help="steps per token")
    parser.add_argument("--out", type=Path, default=cache_dir() / "tokens" / "orders.npz")
    arguments = parser.parse_args()
    selection = Selection(arguments.keep, arguments.tolerance, arguments.most_steps)
    found = list(read_trajectories(line for file in arguments.files for line in file.read_text().splitlines()))
    orders = kept_orders(found, selection, arguments.length)
    if not len(orders.texts):
        raise SystemExit(f"none of {len(found)} trajectories reaches {arguments.length} tokens without a loop in few enough steps")
    orders.save(arguments.out)
    decided = (orders.steps > 0).sum()
    steps = sum(len(np.unique(row[row > 0])) for row in orders.steps)
    print(f"{len(orders.texts)} of {len(found)} trajectories, {steps / decided:.3f} steps per token -> {arguments.out}")
