"""python -m recipe continuations OUT.jsonl: the model's own greedy continuations, many at once, for python -m recipe own.

`npm run trajectories` writes them through the engine, one at a time, as users get them. Here a batch shares each read of the
weights: several times the tokens of the same hour, from weights that are not rounded.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recipe.data.token_files import load_split
from recipe.data.tokenizer import EOS_IDS
from recipe.data.windows import Windows
from recipe.model.llama import Llama
from recipe.model.start import load_trained
from recipe.orders.rollout import roll_out, threshold
from recipe.train.adapter_run import precision


def continuations(model: Llama, prompts: Tensor, count: int) -> Tensor:
    """Greedy ids [B, count] after prompts [B, P]; the mask token is never chosen. What follows an end of text means nothing."""
    # In blocks of one token there is nothing for a policy to decide.
    return roll_out(model, prompts, count, 1, threshold(1.0)).ids


def until_end(ids: list[int]) -> list[int]:
    """Ids before the first end of text."""
    return ids[: next((at for at, token in enumerate(ids) if token in EOS_IDS), len(ids))]


def beginnings(length: int, count: int, batch: int, seed: int) -> Iterator[tuple[range, Tensor]]:
    """`count` prompts from the training files, `batch` at a time: their numbers, and their ids [B, length]."""
    windows = Windows(load_split("train").values(), length, seed)
    for start in range(0, count, batch):
        indices = range(start, min(count, start + batch))
        yield indices, torch.from_numpy(np.stack([windows.window(index) for index in indices]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1024, help="texts")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--prompt-tokens", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=192)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = load_trained(arguments.adapter)
    started = time.monotonic()
    with arguments.out.open("w") as file:
        for indices, prompts in beginnings(arguments.prompt_tokens, arguments.count, arguments.batch, 1000 + arguments.seed):
            with precision(prompts.device):
                made = continuations(model, prompts, arguments.max_tokens)
            for prompt, ids in zip(prompts.tolist(), made.tolist(), strict=True):
                file.write(json.dumps({"prompt": prompt, "ids": until_end(ids)}) + "\n")
            done = indices.stop * arguments.max_tokens
            print(f"{indices.stop}/{arguments.count} texts, {done / (time.monotonic() - started):.0f} tokens/s", flush=True)
