"""python -m recipe.pools OUT.jsonl: pools of the model's own trajectories, many at once, for python -m recipe.orders.

What `npm run trajectories -- --pool K` writes through the engine, one at a time, is written here a batch at a time from weights that
are not rounded. Trajectories of one beginning take turns in block length and threshold; the threshold is passed by chance, so that
orders differ where the ids do not.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recipe.adapter_run import precision
from recipe.continuations import until_end
from recipe.data import Windows
from recipe.few_steps import causal_logits
from recipe.llama import Llama
from recipe.lora import add_adapters, load_adapter
from recipe.rollout import Rollouts, roll_out, soft_threshold
from recipe.start import load_start
from recipe.token_files import load_split

TURNS = ((8, 0.7), (8, 0.5), (16, 0.6), (4, 0.7))
"""(block length, tau) of the trajectories of one beginning."""
SOFTNESS = 0.5


@torch.no_grad()
def log_likelihoods(model: Llama, prompts: Tensor, ids: Tensor) -> Tensor:
    """log p [G, C] of continuations ids [G, C] of prompts [G, P] by the causal head."""
    logits = causal_logits(model, torch.cat([prompts, ids], dim=1), ids.shape[1])
    return logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]


def records(first: int, prompts: Tensor, got: Rollouts, log_p: Tensor) -> list[dict[str, Any]]:
    """One line for each text that wrote anything, `first` being the number of the first one; cut before an end of text."""
    lines = []
    rows = zip(prompts.tolist(), got.ids.tolist(), got.global_steps().tolist(), log_p, strict=True)
    for number, (prompt, ids, decided, likelihood) in enumerate(rows, start=first):
        written = until_end(ids)
        at = decided[: len(written)]
        steps = [[offset for offset, step in enumerate(at) if step == one] for one in sorted(set(at))]
        line = {"text": number, "prompt": prompt, "ids": written, "block": got.block, "steps": steps}
        line["step_ids"] = [[written[offset] for offset in step] for step in steps]
        lines.append(line | {"log_likelihood": round(float(likelihood[: len(written)].sum()), 4)})
    return [line for line in lines if line["ids"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--count", type=int, default=128, help="beginnings")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--pool", type=int, default=4, help="trajectories of each beginning")
    parser.add_argument("--prompt-tokens", type=int, default=160)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = torch.Generator().manual_seed(arguments.seed)
    model = add_adapters(load_start())
    load_adapter(model, arguments.adapter)
    windows = Windows(load_split("train").values(), arguments.prompt_tokens, seed=2000 + arguments.seed)
    with arguments.out.open("w") as file:
        for start in range(0, arguments.count, arguments.batch):
            indices = range(start, min(arguments.count, start + arguments.batch))
            prompts = torch.from_numpy(np.stack([windows.window(index) for index in indices]))
            for turn in range(arguments.pool):
                block, tau = TURNS[turn % len(TURNS)]
                with precision(prompts.device):
                    policy = soft_threshold(tau, SOFTNESS, generator)
                    got = roll_out(model, prompts, arguments.max_tokens, block, policy)
                    log_p = log_likelihoods(model, prompts, got.ids)
                for line in records(start, prompts, got, log_p):
                    file.write(json.dumps(line) + "\n")
                file.flush()
                steps = float(got.steps.float().mean()) / arguments.max_tokens
                print(f"{indices.stop}/{arguments.count} block {block} tau {tau}: {steps:.3f} steps per token", flush=True)


if __name__ == "__main__":
    main()
