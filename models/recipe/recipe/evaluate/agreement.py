"""python -m recipe agreement: how far a model's drafts agree with its own greedy text. Last stdout line is JSON.

Verified greedy decoding writes the text of block length 1. Of a drafted block it keeps the first id, which is causal, and the ids
after it up to the first one that the causal head would not have written. Tokens per forward follow from the text alone: from the length
of the agreement at every place. Training on own continuations (recipe.orders.own) should lengthen it.

This counts more tokens per forward than the engine reaches: here every forward has drafts, also the one after a rejection.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from recipe.data.token_files import load_split
from recipe.evaluate.evaluate import held_out_sequences
from recipe.model.llama import Llama
from recipe.model.start import load_trained
from recipe.orders.continuations import continuations
from recipe.orders.rollout import rows_logits
from recipe.progress import progress
from recipe.train.adapter_run import precision
from recipe.train.objective import clean_half, noisy_half

PROMPT = 128
CONTINUATION = 64


@torch.no_grad()
def agreements(model: Llama, ids: Tensor, first: int, block: int) -> list[int]:
    """For every place p of ids [L] from `first` on with a whole block after it: how many ids of the block at p a forward decides, 1..block.

    The block's ids are all masked; its first comes from the clean row before p and counts as agreed.
    """
    assert model.mask_id is not None
    _, kept = clean_half(model, ids, through_clean=False)
    found = dict[int, int]()
    for shift in range(block):
        start = first - first % block + shift
        length = (len(ids) - start) // block * block
        masked = torch.full((1, length), model.mask_id, device=ids.device)
        shorter = [(k[:, :, : start + length], v[:, :, : start + length]) for k, v in kept]
        drafted = rows_logits(model, noisy_half(model, masked, shorter, block, start)[0, :-1]).argmax(-1)
        right = torch.ones(length, dtype=torch.bool)
        right[1:] = (drafted == ids[start + 1 : start + length]).cpu()
        blocks = right.view(-1, block)
        blocks[:, 0] = True
        for at, agreed in enumerate(blocks.long().cumprod(1).sum(1).tolist()):
            found[start + at * block] = agreed
    return [found[p] for p in range(first, len(ids) - block + 1)]


def forwards(agreed: list[int]) -> tuple[int, int]:
    """(tokens, forwards) of verified decoding along a text whose place p decides agreed[p] ids."""
    at = count = 0
    while at < len(agreed):
        at += agreed[at]
        count += 1
    return at, count


def tokens_per_forward(model: Llama, texts: Tensor, first: int, block: int) -> float:
    """Mean over texts [N, L], each written by the model greedily from position `first` on."""
    runs = [forwards(agreements(model, text, first, block)) for text in progress(texts, f"texts, block {block}")]
    return sum(tokens for tokens, _ in runs) / sum(count for _, count in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="the converted or exported model that it was trained on; the base unless given")
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--blocks", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = load_trained(arguments.adapter, arguments.model)
    prompts = torch.stack(held_out_sequences(load_split("heldout"), arguments.texts, PROMPT))
    scores: dict[str, float] = {"texts": len(prompts)}
    with precision(prompts.device):
        texts = torch.cat([prompts, continuations(model, prompts, CONTINUATION)], dim=1)
        for block in arguments.blocks:
            scores[f"block{block}_tokens_per_forward"] = round(tokens_per_forward(model, texts, PROMPT, block), 3)
    print(json.dumps(scores))
