"""python -m recipe continuations OUT.jsonl: the model's own greedy continuations, many at once, for python -m recipe own.

`npm run trajectories` writes them through the engine, one at a time, as users get them. Here a batch shares each read of the
weights: several times the tokens of the same hour, from an adapter's exact weights or from a converted model's int4 weights.
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
from recipe.device import best_device
from recipe.model.attention import Layers
from recipe.model.llama import Attend, Llama
from recipe.model.lora import halve_base
from recipe.model.start import load_model, load_trained
from recipe.orders.rollout import rows_logits
from recipe.train.adapter_run import half_precision


def writing(store: Layers, at: int) -> Attend:
    """Causal rows from position `at` on: their keys and values are written into the store [B, KV, S, D], nothing of it is copied.

    A step of one token reads the whole store; appending to it would copy it twice, and three times more for the heads of a group.
    """
    layers = iter(store)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys, values = next(layers)
        batch, heads, new, dim = q.shape
        kv, end = k.shape[1], at + new
        keys[:, :, at:end], values[:, :, at:end] = k, v
        rows = (q * dim**-0.5).reshape(batch, kv, heads // kv * new, dim)
        scores = (rows @ keys[:, :, :end].transpose(-1, -2)).view(batch, heads, new, end)
        later = torch.ones(new, end, dtype=torch.bool, device=q.device).triu(at + 1)
        weight = scores.masked_fill(later, float("-inf")).softmax(dim=-1).view(batch, kv, -1, end)
        out: Tensor = weight.to(values.dtype) @ values[:, :, :end]
        return out.view(batch, heads, new, dim)

    return attend


@torch.no_grad()
def continuations(model: Llama, prompts: Tensor, count: int) -> Tensor:
    """Greedy ids [B, count] after prompts [B, P]; the mask token is never chosen. What follows an end of text means nothing."""
    batch, context = prompts.shape
    device, config = prompts.device, model.config
    dtype = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32
    shape = (batch, config.kv_heads, context + count, config.head_dim)
    store = [(torch.empty(shape, dtype=dtype, device=device), torch.empty(shape, dtype=dtype, device=device)) for _ in range(config.layers)]
    text, at = prompts, 0
    made = []
    for _ in range(count):
        position = torch.arange(at, at + text.shape[1], device=device)
        hidden = model.hidden(text, position, writing(store, at))[:, -1]
        at += text.shape[1]
        text = rows_logits(model, hidden).argmax(-1, keepdim=True)
        made.append(text)
    return torch.cat(made, 1)


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
    parser.add_argument("--adapter", type=Path, help="an adapter on the base, or on --model")
    parser.add_argument("--model", type=Path, help="a converted model (models/NAME) or an export")
    parser.add_argument("--count", type=int, default=1024, help="texts")
    parser.add_argument("--minutes", type=float, default=0.0, help="no further batch begins after this; 0: no limit")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--prompt-tokens", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=192)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action=argparse.BooleanOptionalAction, default=half_precision(best_device()))
    arguments = parser.parse_args()
    if not (arguments.adapter or arguments.model):
        parser.error("whose continuations: --adapter, --model or both")
    torch.set_num_threads(arguments.threads)
    device = best_device()
    model = (load_trained(arguments.adapter, arguments.model) if arguments.adapter else load_model(arguments.model)).to(device)
    if arguments.bfloat16:
        halve_base(model)
    started = time.monotonic()
    with arguments.out.open("w") as file:
        for indices, prompts in beginnings(arguments.prompt_tokens, arguments.count, arguments.batch, 1000 + arguments.seed):
            with torch.autocast(device.type, torch.bfloat16, enabled=arguments.bfloat16, cache_enabled=False):
                made = continuations(model, prompts.to(device), arguments.max_tokens)
            for prompt, ids in zip(prompts.tolist(), made.tolist(), strict=True):
                file.write(json.dumps({"prompt": prompt, "ids": until_end(ids)}) + "\n")
            file.flush()
            done = indices.stop * arguments.max_tokens
            print(f"{indices.stop}/{arguments.count} texts, {done / (time.monotonic() - started):.0f} tokens/s", flush=True)
            if arguments.minutes and time.monotonic() - started > 60 * arguments.minutes:
                break
