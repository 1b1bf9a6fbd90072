"""python -m recipe.continuations OUT.jsonl: the model's own greedy continuations, many at once, for python -m recipe.own.

`npm run trajectories` writes them through the engine, one at a time, as users get them. Here a batch shares each read of the
weights: several times the tokens of the same hour, from weights that are not rounded.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recipe.adapter_run import precision
from recipe.attention import causal
from recipe.data import Windows
from recipe.llama import Attend, Llama
from recipe.lora import add_adapters, load_adapter
from recipe.start import load_start
from recipe.token_files import load_split
from recipe.tokenizer import EOS_IDS


class GrowingCache:
    """Keys and values of every layer for texts of one length, in buffers that are as long as the texts will be."""

    def __init__(self, model: Llama, texts: int, length: int, dtype: torch.dtype) -> None:
        c = model.config
        shape = (c.layers, texts, c.kv_heads, length, c.head_dim)
        device = model.embed_tokens.weight.device
        self.keys, self.values = torch.empty(shape, dtype=dtype, device=device), torch.empty(shape, dtype=dtype, device=device)
        self.length = 0

    def attend(self) -> Attend:
        """Attention of one forward: the prompt's rows, causal, or a single row that sees everything before it."""
        layer = 0
        start = self.length

        def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            nonlocal layer
            end = start + k.shape[2]
            self.keys[layer, :, :, start:end], self.values[layer, :, :, start:end] = k, v
            keys, values = self.keys[layer, :, :, :end], self.values[layer, :, :, :end]
            layer += 1
            self.length = end
            if start == 0:
                return causal(q, k, v)
            assert k.shape[2] == 1, "rows after the prompt come one by one"
            texts, heads, _, dim = q.shape
            group = (q * dim**-0.5).view(texts, keys.shape[1], -1, dim)
            weight = (group.to(keys.dtype) @ keys.transpose(-1, -2)).float().softmax(-1)
            out: Tensor = weight.to(values.dtype) @ values
            return out.view(texts, heads, 1, dim)

        return attend


@torch.no_grad()
def continuations(model: Llama, prompts: Tensor, count: int) -> Tensor:
    """Greedy ids [B, count] after prompts [B, P]; the mask token is never chosen. What follows an end of text means nothing."""
    assert model.mask_id is not None
    _, length = prompts.shape
    dtype = torch.bfloat16 if torch.is_autocast_enabled(prompts.device.type) else torch.float32
    cache = GrowingCache(model, len(prompts), length + count, dtype)
    found = torch.empty(len(prompts), count, dtype=torch.long, device=prompts.device)
    rows, position = prompts, torch.arange(length, device=prompts.device)
    for at in range(count):
        last = model.hidden(rows, position, cache.attend())[:, -1]
        logits = model.logits(last)
        logits[:, model.mask_id] = float("-inf")
        found[:, at] = logits.argmax(-1)
        rows, position = found[:, at : at + 1], torch.tensor([length + at], device=prompts.device)
    return found


def until_end(ids: list[int]) -> list[int]:
    """Ids before the first end of text."""
    return ids[: next((at for at, token in enumerate(ids) if token in EOS_IDS), len(ids))]


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
    model = add_adapters(load_start())
    load_adapter(model, arguments.adapter)
    windows = Windows(load_split("train").values(), arguments.prompt_tokens, seed=1000 + arguments.seed)
    started = time.monotonic()
    with arguments.out.open("w") as file:
        for start in range(0, arguments.count, arguments.batch):
            indices = range(start, min(arguments.count, start + arguments.batch))
            prompts = torch.from_numpy(np.stack([windows.window(index) for index in indices]))
            with precision(prompts.device):
                made = continuations(model, prompts, arguments.max_tokens)
            for prompt, ids in zip(prompts.tolist(), made.tolist(), strict=True):
                file.write(json.dumps({"prompt": prompt, "ids": until_end(ids)}) + "\n")
            done = indices.stop * arguments.max_tokens
            print(f"{indices.stop}/{arguments.count} texts, {done / (time.monotonic() - started):.0f} tokens/s", flush=True)


if __name__ == "__main__":
    main()
