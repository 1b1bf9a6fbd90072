"""python -m recipe pools OUT.jsonl: pools of the model's own trajectories, many at once, for python -m recipe orders.

`npm run trajectories -- --pool K` writes the same through the engine, one at a time. This command writes a batch at a time from weights
that are not rounded. Trajectories of one beginning take turns in block length and threshold. The threshold is passed by chance, so that
orders differ even where the ids are equal.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recipe.device import best_device
from recipe.evaluate.few_steps import causal_logits, log_p
from recipe.model.llama import Llama
from recipe.model.start import load_trained
from recipe.orders.continuations import beginnings, until_end
from recipe.orders.rollout import Rollouts, roll_out, soft_threshold
from recipe.train.adapter_run import precision

TURNS = ((8, 0.7), (8, 0.5), (16, 0.6), (4, 0.7))
"""(block length, tau) of the trajectories of one beginning."""
SOFTNESS = 0.5


@torch.no_grad()
def log_likelihoods(model: Llama, prompts: Tensor, ids: Tensor) -> Tensor:
    """log p [G, C] of continuations ids [G, C] of prompts [G, P] by the causal head."""
    return log_p(causal_logits(model, torch.cat([prompts, ids], dim=1), ids.shape[1]), ids)


def records(first: int, prompts: Tensor, got: Rollouts, likelihoods: Tensor) -> list[dict[str, Any]]:
    """One line for each text that is not empty, cut before an end of text. `first`: the number of the first text."""
    lines = []
    rows = zip(prompts.tolist(), got.ids.tolist(), got.global_steps().tolist(), likelihoods, strict=True)
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
    parser.add_argument("--model", type=Path, help="the converted or exported model that it was trained on; the base unless given")
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
    model = load_trained(arguments.adapter, arguments.model).to(best_device())
    with arguments.out.open("w") as file:
        for indices, prompts in beginnings(arguments.prompt_tokens, arguments.count, arguments.batch, 2000 + arguments.seed):
            prompts = prompts.to(best_device())
            for turn in range(arguments.pool):
                block, tau = TURNS[turn % len(TURNS)]
                with precision(prompts.device):
                    policy = soft_threshold(tau, SOFTNESS, generator)
                    got = roll_out(model, prompts, arguments.max_tokens, block, policy)
                    likelihoods = log_likelihoods(model, prompts, got.ids)
                for line in records(indices.start, prompts, got, likelihoods):
                    file.write(json.dumps(line) + "\n")
                file.flush()
                steps = float(got.steps.float().mean()) / arguments.max_tokens
                print(f"{indices.stop}/{arguments.count} block {block} tau {tau}: {steps:.3f} steps per token", flush=True)
