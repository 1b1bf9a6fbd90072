"""How well the causal head fills held-out holes, single lines with or without their suffix. Verified decoding follows this head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from recipe.data.infill import document_text, healed, hole, longest_document
from recipe.data.tokenizer import FIM_END, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX
from recipe.evaluate.few_steps import causal_logits, log_p
from recipe.model.llama import Llama
from recipe.progress import progress

LEAST_CHARACTERS = 8
TRIES = 20


@dataclass(frozen=True)
class Hole:
    """Ids of the three parts, as in training."""

    prefix: list[int]
    suffix: list[int]
    middle: list[int]


def line_holes(sequences: list[Tensor], tokenizer: Tokenizer) -> list[Hole]:
    """One hole per sequence [L]: the rest of a line in its middle half. Sequences without such a line give none."""
    holes = []
    for index, ids in enumerate(sequences):
        start, end = longest_document(ids.numpy())
        text = document_text(ids.numpy()[start:end], tokenizer)
        rng = np.random.default_rng([77, index])
        for _ in range(TRIES if text else 0):
            start, end = hole(text, "rest of line", rng)
            if len(text) / 4 <= start < 3 * len(text) / 4 and end - start >= LEAST_CHARACTERS:
                prefix, middle = healed(text[:start], text[start:end], tokenizer)
                holes.append(Hole(prefix, tokenizer.encode(text[end:], add_special_tokens=False).ids, middle))
                break
    return holes


def choices(model: Llama, prompt: list[int], target: list[int]) -> tuple[Tensor, Tensor]:
    """log p [C] of ids `target` after `prompt`, each given those before it, and whether each is the best one [C]."""
    ids = torch.tensor([prompt + target], device=model.embed_tokens.weight.device)
    logits, wanted = causal_logits(model, ids, len(target)), ids[:, len(prompt) :]
    return log_p(logits, wanted)[0], logits[0].argmax(-1) == wanted[0]


@torch.no_grad()
def hole_scores(model: Llama, holes: list[Hole]) -> dict[str, float]:
    """Nats per token of the middle with its suffix and with an empty one, of the marker that ends it, and the share filled exactly.

    Exactly: greedy causal decoding writes the middle's ids and then the marker. `line`: it writes the ids.
    """
    nats, bare, end_nats, exact, line = [], [], [], [], []
    for one in progress(holes, "holes"):
        target = [*one.middle, FIM_END]
        with_suffix, right = choices(model, [FIM_SUFFIX, *one.suffix, FIM_PREFIX, *one.prefix, FIM_MIDDLE], target)
        without, _ = choices(model, [FIM_SUFFIX, FIM_PREFIX, *one.prefix, FIM_MIDDLE], one.middle)
        nats.append(-with_suffix[:-1])
        bare.append(-without)
        end_nats.append(-float(with_suffix[-1]))
        exact.append(bool(right.all()))
        line.append(bool(right[:-1].all()))
    result = {
        "hole_nats": float(torch.cat(nats).mean()),
        "hole_nats_without_suffix": float(torch.cat(bare).mean()),
        "hole_end_nats": float(np.mean(end_nats)),
        "hole_exact": float(np.mean(exact)),
        "hole_line": float(np.mean(line)),
    }
    return {"holes": float(len(holes))} | {key: round(value, 4) for key, value in result.items()}
