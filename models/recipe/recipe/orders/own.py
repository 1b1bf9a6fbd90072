"""python -m recipe own FILE.jsonl: the model's own continuations (`npm run trajectories`) as training texts.

Human code is hard to guess two tokens ahead whatever the model; its own greedy continuation is not, and decoding only needs
agreement with that. Seed Diffusion (arXiv 2508.02193), section 3.2, distils trajectories of the model's own for the same reason.
A text is cut where it begins to loop: what comes before is as good as any, and the loop would teach little but itself.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipe.data.tokenizer import END_OF_TEXT
from recipe.paths import cache_dir

GRAM = 4
LEAST_DISTINCT = 0.5
"""A continuation with a smaller share of different 4-grams has run into a loop."""
SPAN = 32
"""4-grams ahead that tell a loop from a phrase that comes again."""
LEAST_KEPT = 16
"""Fewer own tokens than this after a beginning are not worth that beginning."""


def loops(ids: list[int]) -> bool:
    """Whether a text repeats itself."""
    grams = [tuple(ids[i : i + GRAM]) for i in range(len(ids) - GRAM + 1)]
    return len(set(grams)) < LEAST_DISTINCT * len(grams)


def loop_start(ids: list[int]) -> int:
    """Where a text begins to repeat itself: the second turn of its first loop; its length, if it has none."""
    seen = set[tuple[int, ...]]()
    new = []
    for at in range(len(ids) - GRAM + 1):
        gram = tuple(ids[at : at + GRAM])
        new.append(gram not in seen)
        seen.add(gram)
    for at in range(len(new) - SPAN // 4 + 1):
        ahead = new[at : at + SPAN]
        if not new[at] and sum(ahead) < LEAST_DISTINCT * len(ahead):
            return at
    return len(ids)


def own_texts(lines: Iterable[str], length: int) -> NDArray[np.uint16]:
    """[N, length]: beginning and continuation of each trajectory, cut at its loop.

    The first ids of a text that is long enough are a row. The shorter texts are joined, each ended by END_OF_TEXT as in the
    corpus, and make the last rows.
    """
    whole, joined = [], list[int]()
    for line in lines:
        record = json.loads(line)
        ids = record["ids"][: loop_start(record["ids"])]
        text = [*record["prompt"], *ids]
        if len(text) >= length:
            whole.append(text[:length])
        elif len(ids) >= LEAST_KEPT:
            joined += [*text, END_OF_TEXT]
    rows = [joined[at : at + length] for at in range(0, len(joined) - length + 1, length)]
    return np.array(whole + rows, dtype=np.uint16).reshape(-1, length)


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
