"""python -m recipe own FILE.jsonl: the model's own continuations (`npm run trajectories`) as training texts.

Human code is hard to guess two tokens ahead whatever the model; its own greedy continuation is not, and decoding only needs
agreement with that. Seed Diffusion (arXiv 2508.02193), section 3.2, distils trajectories of the model's own for the same reason.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipe.paths import cache_dir

GRAM = 4
LEAST_DISTINCT = 0.5
"""A continuation with fewer different 4-grams has run into a loop: it would teach little but the loop."""


def loops(ids: list[int]) -> bool:
    """Whether a text repeats itself."""
    grams = [tuple(ids[i : i + GRAM]) for i in range(len(ids) - GRAM + 1)]
    return len(set(grams)) < LEAST_DISTINCT * len(grams)


def own_texts(lines: Iterable[str], length: int) -> NDArray[np.uint16]:
    """[N, length]: beginning and continuation of each trajectory that is long enough and does not loop."""
    texts = []
    for line in lines:
        record = json.loads(line)
        text = [*record["prompt"], *record["ids"]]
        if len(text) >= length and not loops(record["ids"]):
            texts.append(text[:length])
    return np.array(texts, dtype=np.uint16).reshape(-1, length)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--out", type=Path, default=cache_dir() / "tokens" / "own.npy")
    arguments = parser.parse_args()
    texts = own_texts((line for file in arguments.files for line in file.read_text().splitlines()), arguments.length)
    if not len(texts):
        raise SystemExit(f"no text of {arguments.length} tokens: ask npm run trajectories for more with --max-tokens")
    np.save(arguments.out, texts)
    print(f"{len(texts)} texts of {arguments.length} tokens -> {arguments.out}")
