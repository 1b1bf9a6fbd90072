"""python -m recipe evaluate: how well held-out code is predicted, causally and inside masked blocks. Last stdout line is JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipe.data.edits import Confusions, token_kinds
from recipe.data.token_files import load_split
from recipe.data.tokenizer import MASK_ID, text_tokenizer
from recipe.device import best_device
from recipe.evaluate.few_steps import BLOCKS, Beginning, few_steps_scores
from recipe.evaluate.holes import hole_scores, line_holes
from recipe.evaluate.repair import repair_scores
from recipe.int4.quantize import QuantizedWeights
from recipe.model import attention
from recipe.model.llama import Llama
from recipe.model.start import load_model, load_trained
from recipe.orders.prompts import code_prompts
from recipe.progress import progress
from recipe.train.objective import clean_half, noisy_half

BLOCK = 8
LENGTH = 256
BEGINNING = 64
"""Tokens of a beginning whose continuation is measured."""


def held_out_sequences(parts: Mapping[str, NDArray[np.uint16]], count: int, length: int = LENGTH) -> list[Tensor]:
    """`count` sequences [length]: the same number from every package, evenly spread over its tokens."""
    sequences = []
    for index, tokens in enumerate(parts.values()):
        share = count // len(parts) + (index < count % len(parts))
        for start in np.linspace(0, len(tokens) - length, share + 2)[1:-1].astype(int):
            sequences.append(torch.from_numpy(tokens[start : start + length].astype(np.int64)))
    return sequences


class Tally:
    """Running accuracy."""

    def __init__(self) -> None:
        self.right = self.total = 0

    def add(self, right: Tensor) -> None:
        self.right += int(right.sum())
        self.total += right.numel()

    @property
    def accuracy(self) -> float:
        return self.right / max(1, self.total)


def unmasked_choice(model: Llama, hidden: Tensor) -> Tensor:
    """The best id that is not the mask, for rows [N, d]."""
    logits = model.logits(hidden)
    logits[:, MASK_ID] = float("-inf")
    return logits.argmax(-1)


def block_choice(model: Llama, ids: Tensor, mask: Tensor, kept: attention.Layers, causal: Tensor) -> Tensor:
    """Greedy ids [L - 1] under a mask [L]: entry i predicts position i + 1, a block's first position causally, as in decoding."""
    noisy = noisy_half(model, torch.where(mask, MASK_ID, ids)[None], kept, BLOCK)
    choice = unmasked_choice(model, noisy[0, :-1])
    choice[BLOCK - 1 :: BLOCK] = causal[BLOCK - 1 :: BLOCK]
    return choice


@torch.no_grad()
def evaluate(model: Llama, sequences: list[Tensor]) -> dict[str, float]:
    """Accuracies in 0..1 and cross-entropy in nats; keys as in the README's table."""
    half, causal = Tally(), Tally()
    lookahead = [Tally() for _ in range(BLOCK)]  # position k + 1 of a block whose positions are all masked
    known = [Tally() for _ in range(BLOCK)]  # the same with the first id visible
    nats = 0.0
    for index, ids in enumerate(progress(sequences, "sequences")):
        position = torch.arange(len(ids), device=ids.device)
        offset = position % BLOCK
        target = ids[1:]
        clean, kept = clean_half(model, ids, through_clean=False)
        logits = model.logits(clean[:-1])
        logits[:, MASK_ID] = float("-inf")
        nats += float(torch.nn.functional.cross_entropy(logits, target, reduction="sum"))
        left = logits.argmax(-1)
        causal.add(left == target)
        rng = np.random.default_rng([1234, index])
        mask = torch.from_numpy(rng.random(len(ids)) < 0.5).to(ids.device)
        half.add((block_choice(model, ids, mask, kept, left) == target)[mask[1:]])
        for tallies, hidden in ((lookahead, torch.ones_like(mask)), (known, offset > 0)):
            right = block_choice(model, ids, hidden, kept, left) == target
            for k, tally in enumerate(tallies):
                # The very first block has no context: position 1 of it cannot be predicted at all.
                tally.add(right[BLOCK - 1 :][(offset == k)[BLOCK:]])
    result = {"sequences": float(len(sequences)), "causal_accuracy": causal.accuracy, "causal_ce": nats / causal.total}
    result["half_masked_accuracy"] = half.accuracy
    result |= {f"lookahead{k + 1}_accuracy": lookahead[k].accuracy for k in range(BLOCK)}
    result |= {f"lookahead{k + 1}_known_accuracy": known[k].accuracy for k in range(1, BLOCK)}
    return {key: round(value, 4) for key, value in result.items()}


def lost(exact: Mapping[str, float], scores: Mapping[str, float]) -> dict[str, float]:
    """The cost of rounding, from the scores of a model and of its rounded weights."""
    return {
        "nats_lost": round(scores["causal_ce"] - exact["causal_ce"], 4),
        "half_masked_lost": round(exact["half_masked_accuracy"] - scores["half_masked_accuracy"], 4),
    }


def scores_of(arguments: argparse.Namespace) -> dict[str, float]:
    """All scores that the flags ask for."""
    none, device = arguments.adapter == "none", best_device()
    model = (load_model(arguments.model) if none else load_trained(Path(arguments.adapter), arguments.model)).to(device)
    held_out = load_split("heldout")
    sequences = [ids.to(device) for ids in held_out_sequences(held_out, arguments.sequences)]
    scores = evaluate(model.eval(), sequences) if sequences else {}
    if arguments.quantized:
        exact = scores
        QuantizedWeights(model)
        if sequences:
            scores = evaluate(model, sequences)
            scores |= lost(exact, scores)
    if arguments.parent and sequences:
        scores |= lost(evaluate(load_model(arguments.parent).to(device), sequences), scores)
    if arguments.repair_sequences:
        used = np.unique(np.concatenate(list(held_out.values()))).astype(np.int64)
        confusions = Confusions(token_kinds(text_tokenizer()), used)
        texts = [ids.to(device) for ids in held_out_sequences(held_out, arguments.repair_sequences)]
        scores |= repair_scores(model, texts, confusions)
    if arguments.holes:
        scores |= hole_scores(model, line_holes(held_out_sequences(held_out, arguments.holes), text_tokenizer()))
    if arguments.few_steps:
        found = code_prompts("heldout", text_tokenizer(), (BEGINNING, BEGINNING), arguments.few_steps, seed=0)
        scores |= few_steps_scores(model, [Beginning(*one) for one in found], blocks=tuple(arguments.blocks))
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", default="none", help="path of an adapter, or none for the model without one")
    parser.add_argument("--model", type=Path, help="converted or exported model instead of the base, also under an adapter")
    parser.add_argument("--parent", type=Path, help="the export that --model was rounded from: reports the cost of rounding")
    parser.add_argument("--sequences", type=int, default=64, help="0 leaves the accuracies out")
    parser.add_argument("--quantized", action="store_true", help="int4 weights as the converter writes them, and the cost of rounding")
    parser.add_argument("--repair-sequences", type=int, default=16, help="0 leaves the repair figures out")
    parser.add_argument("--holes", type=int, default=64, help="single-line holes; 0 leaves them out")
    parser.add_argument("--few-steps", type=int, default=0, help="beginnings to continue at other block lengths and in few steps; 0: none")
    parser.add_argument("--blocks", type=int, nargs="+", default=list(BLOCKS), help="block lengths of --few-steps")
    parser.add_argument("--bfloat16", action="store_true", help="half the time; accuracies differ in the third digit")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with torch.autocast(best_device().type, torch.bfloat16, enabled=arguments.bfloat16, cache_enabled=False):
        print(json.dumps(scores_of(arguments)))
