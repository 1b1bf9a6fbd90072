"""python -m recipe agreement: how far a model's drafts agree with its own greedy text. Last stdout line is JSON.

Verified greedy decoding writes the text of block length 1. Of a drafted block it keeps the first id, which is causal, and the ids
after it up to the first one that the causal head would not have written. Tokens per forward follow from the text alone: from the length
of the agreement at every place. Training on own continuations (recipe.orders.own) should lengthen it.

The count is the engine's: a block of n tokens has n - 1 masks, a draft below the least confidence is not offered, and what a forward
drafts is lost when one of the drafts that it checks is refused. `every_forward_drafts` is what drafts would give without that loss.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from recipe.data.token_files import load_split
from recipe.device import best_device
from recipe.evaluate.draft_agreement import OFFERED, engine_forwards
from recipe.evaluate.evaluate import held_out_sequences
from recipe.model.llama import Llama
from recipe.model.start import load_trained
from recipe.model.window_attention import DraftWindows, windows_hidden
from recipe.orders.continuations import continuations
from recipe.orders.rollout import rows_logits
from recipe.progress import progress
from recipe.train.adapter_run import precision
from recipe.train.objective import clean_half

PROMPT = 128
CONTINUATION = 64


@dataclass(frozen=True)
class Drafts:
    """The drafts of a window at every place of a text, in their order from the window's start."""

    right: list[int]  # how many in a row the model writes itself
    offered: list[int]  # how many in a row are sure enough to be checked


@torch.no_grad()
def drafts_of(model: Llama, ids: Tensor, first: int, block: int) -> Drafts:
    """The windows of block - 1 masks at every place of ids [L] from `first` on with a whole block after it.

    A place's own id comes from the clean row before it. Offered are drafts above OFFERED, or else the most probable one of the window, up
    to the first that is not.
    """
    starts = torch.arange(first, len(ids) - block + 1, device=ids.device)
    _, kept = clean_half(model, ids, through_clean=False)
    windows = DraftWindows(starts, torch.full_like(starts, block - 1))
    confidence, drafted = rows_logits(model, windows_hidden(model, windows, kept)).softmax(-1).max(-1)
    sure = confidence.view(-1, block - 1)
    best = torch.zeros_like(sure, dtype=torch.bool).scatter_(1, sure.argmax(1, keepdim=True), True)
    offered = (sure > OFFERED) | (best & (sure <= OFFERED).all(1, keepdim=True))
    right = (drafted == ids[windows.position + 1]).view(-1, block - 1)
    return Drafts(*(passed.long().cumprod(1).sum(1).tolist() for passed in (right, offered)))


def agreements(model: Llama, ids: Tensor, first: int, block: int) -> list[int]:
    """For every such place: how many ids of the block there are right, 1..block. The first is causal and always is."""
    return [1 + right for right in drafts_of(model, ids, first, block).right]


def forwards(agreed: list[int]) -> tuple[int, int]:
    """(tokens, forwards) along a text whose place p decides agreed[p] ids, if every forward has drafts to check."""
    at = count = 0
    while at < len(agreed):
        at += agreed[at]
        count += 1
    return at, count


def tokens_per_forward(model: Llama, texts: Tensor, first: int, block: int) -> tuple[float, float]:
    """Over texts [N, L], each written by the model greedily from position `first` on: as the engine, and if every forward has drafts."""
    as_engine, always = [], []
    for text in progress(texts, f"texts, block {block}"):
        drafts = drafts_of(model, text, first, block)
        # A draft that is right but not offered is written by a later forward.
        kept = {place: min(pair) for place, pair in enumerate(zip(drafts.right, drafts.offered, strict=True))}
        as_engine.append(engine_forwards(kept, 0, len(kept), dict(enumerate(drafts.offered))))
        always.append(forwards([1 + right for right in drafts.right]))
    engine, most = (sum(tokens for tokens, _ in runs) / sum(count for _, count in runs) for runs in (as_engine, always))
    return engine, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="the converted or exported model that it was trained on; the base unless given")
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--blocks", type=int, nargs="+", default=[2, 3, 4, 8], help="block lengths, 2 or more")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = load_trained(arguments.adapter, arguments.model).to(best_device())
    prompts = torch.stack(held_out_sequences(load_split("heldout"), arguments.texts, PROMPT)).to(best_device())
    scores: dict[str, float] = {"texts": len(prompts)}
    with precision(prompts.device):
        texts = torch.cat([prompts, continuations(model, prompts, CONTINUATION)], dim=1)
        for block in arguments.blocks:
            engine, most = tokens_per_forward(model, texts, PROMPT, block)
            scores |= {f"block{block}_tokens_per_forward": round(engine, 3), f"block{block}_every_forward_drafts": round(most, 3)}
    print(json.dumps(scores))
