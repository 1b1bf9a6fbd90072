"""The cost of few steps and of other partitions: continuations of held-out beginnings by one set of weights, block by block.

The reference of a text is the block-1 continuation by the same weights, because a faster decoding has to agree with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from recipe.model import attention
from recipe.model.llama import Llama
from recipe.orders.rollout import Rollouts, fixed, roll_out, rows_logits, threshold
from recipe.orders.verifier import Verifier
from recipe.progress import progress

LENGTH = 32
STEPS = (4, 8, 16)
"""Steps per LENGTH tokens."""
BLOCKS = (1, 4, 8, 16, 32)
TAUS = (0.7, 0.9)


@dataclass(frozen=True)
class Beginning:
    """A prompt and the verifier of its continuation."""

    ids: list[int]
    verifier: Verifier


@torch.no_grad()
def causal_logits(model: Llama, texts: Tensor, length: int) -> Tensor:
    """Logits [G, length, V] of the last `length` ids of texts [G, P + length], each given all ids before it."""
    position = torch.arange(texts.shape[1], device=texts.device)
    return rows_logits(model, model.hidden(texts, position, attention.causal)[:, -length - 1 : -1])


def log_p(logits: Tensor, ids: Tensor) -> Tensor:
    """log p [G, C] of ids [G, C] under logits [G, C, V]."""
    return logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]


def quality(model: Llama, begun: list[Beginning], prompts: Tensor, got: Rollouts, reference: Tensor) -> dict[str, float]:
    """Means over continuations: against the reference ids [G, C], and by the causal head of the same weights.

    exact: share of texts equal to the reference; match: share of equal ids; likelihood: causal nats per token; verifier: its score.
    """
    length = got.ids.shape[1]
    logits = causal_logits(model, torch.cat([prompts, got.ids], dim=1), length)
    likelihood = log_p(logits, got.ids).mean()
    choices = logits.argmax(-1).tolist()
    scores = [one.verifier(one.ids, ids, choice) for one, ids, choice in zip(begun, got.ids.tolist(), choices, strict=True)]
    same = got.ids == reference
    return {
        "steps_per_token": float(got.steps.float().mean()) / length,
        "exact": float(same.all(1).float().mean()),
        "match": float(same.float().mean()),
        "likelihood": float(likelihood),
        "verifier": sum(scores) / len(scores),
    }


def few_steps_scores(model: Llama, begun: list[Beginning], length: int = LENGTH, blocks: tuple[int, ...] = BLOCKS) -> dict[str, float]:
    """Keys `block{B}_steps{S}_{measure}` and `block{B}_tau{T}_{measure}`; `block1_{measure}` is the reference itself.

    Fixed steps: S forwards per LENGTH tokens, with equal numbers of positions, the surest first. A block length is left out if a block
    would get less than one forward or more forwards than its length. All beginnings have the same number of ids.
    """
    prompts = torch.tensor([one.ids for one in begun], device=model.embed_tokens.weight.device)
    one_by_one = roll_out(model, prompts, length, 1, threshold(1.0))
    scores: dict[str, float] = {}

    def add(name: str, got: Rollouts) -> None:
        measured = quality(model, begun, prompts, got, one_by_one.ids)
        scores.update({f"{name}_{key}": round(value, 4) for key, value in measured.items()})

    for block in progress(blocks, "block lengths"):
        if block == 1:
            add("block1", one_by_one)
            continue
        for steps in STEPS:
            if length <= steps * block and steps * block // length <= block:
                add(f"block{block}_steps{steps}", roll_out(model, prompts, length, block, fixed(steps * block // length)))
        for tau in TAUS:
            add(f"block{block}_tau{tau * 100:.0f}", roll_out(model, prompts, length, block, threshold(tau)))
    return scores
