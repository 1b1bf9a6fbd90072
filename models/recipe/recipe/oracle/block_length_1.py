"""python -m recipe block-length-1: texts of families that attend in blocks, decoded at block length 1, one token after the other.

Every token sees those before it and itself. Without a logit shift, a mask after the text predicts the next id, and sees the same
tokens and itself: S2D2's verifier (arXiv 2603.25702). With a shift the last token predicts it. Every prediction is a forward of its
own over all tokens, without a cache. Draws, penalties and the mask's logit of -inf are those of the engine, written again here.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recipe.oracle.families import FAMILIES, Family, Reference, random_model, specials, start_id
from recipe.paths import REPOSITORY_ROOT

NEW = 12
"""Tokens of a text."""


@dataclass(frozen=True)
class Settings:
    """How ids are chosen, as a request says it."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    repetition: float = 1.0
    """Penalty on ids of the prompt and the text."""
    frequency: float = 0.0
    """Penalty on an id of the text, for each time that it stands there."""


SETTINGS = [
    Settings(),
    Settings(temperature=1.0, seed=11),
    Settings(temperature=0.8, top_p=0.9, top_k=40, seed=12345678901),
    Settings(repetition=1.3, frequency=0.5),
    Settings(temperature=1.2, seed=5, repetition=1.1),
]


def mix(x: int) -> int:
    """MurmurHash3's finalizer, 32 bits."""
    h = x & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return h ^ (h >> 16)


def uniform(seed: int, offset: int) -> float:
    """The engine's uniform of a completion offset (src/sampler/random.ts)."""
    low = mix(seed + 0x9E3779B9)
    high = mix((seed >> 32) ^ low)
    h = mix(mix(high + offset * 0x9E3779B1) ^ mix(low))
    return (h >> 8) / 2**24


def choose(logits: Tensor, prompt: list[int], text: list[int], settings: Settings) -> int:
    """The id after prompt and text. logits: [V], the mask's is -inf."""
    x = logits.double().clone()
    for token in set(prompt + text):
        x[token] = x[token] / settings.repetition if x[token] > 0 else x[token] * settings.repetition
    for token in text:
        x[token] -= settings.frequency
    if settings.temperature == 0:
        return int(x.argmax())
    probs = (x / settings.temperature).softmax(-1)
    best = probs.sort(descending=True).values
    cut = float(best[settings.top_k - 1]) if settings.top_k > 0 else 0.0
    kept = probs * (probs >= cut)
    if settings.top_p < 1:
        reached = best.cumsum(0) >= settings.top_p * kept.sum()
        kept = kept * (kept >= best[int(reached.int().argmax())])
    return int((kept.cumsum(0) > uniform(settings.seed, len(text)) * kept.sum()).int().argmax())


@torch.no_grad()
def sequential(ref: Reference, prompt: list[int], settings: Settings) -> list[int]:
    """NEW ids, without a stop."""
    text: list[int] = []
    for _ in range(NEW):
        ids = prompt + text + ([] if ref.shift else [ref.mask_id])
        allowed = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
        logits = ref.logits(ids, allowed, torch.arange(len(ids)))[-1]
        logits[ref.mask_id] = float("-inf")
        text.append(choose(logits, prompt, text, settings))
    return text


def texts(family: Family, seed: int = 0) -> list[dict[str, Any]]:
    """Prompts of 0 to 2B + 1 tokens, and their texts under every setting."""
    ref = Reference(random_model(family, seed), specials(family)[family.mask_token], family.shift)
    generator = torch.Generator().manual_seed(seed + 2)
    cases = []
    for length in (0, 1, family.block, 2 * family.block + 1):
        prompt = torch.randint(6, 250, (length,), generator=generator).tolist()
        for settings in SETTINGS:
            ids = sequential(ref, prompt or [start_id(family)], settings)
            cases.append({"prompt": prompt, **asdict(settings), "ids": ids})
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY_ROOT / "test" / "fixtures" / "families" / "block-length-1.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cases = {name: texts(family) for name, family in FAMILIES.items() if family.context != "full"}
    parts = []
    for name, own in cases.items():
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in own)
        parts.append(f"{json.dumps(name)}:[\n{lines}\n]")
    arguments.out.write_text("{" + ",\n".join(parts) + "}\n")
    print(f"{arguments.out.stat().st_size // 1000} kB")
