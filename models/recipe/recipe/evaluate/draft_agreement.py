"""python -m recipe draft-agreement: how often drafts are what the frozen verifier would write. Last stdout line is JSON.

On held-out text and on text of the verifier's own, for windows of 1..3 masks after a known id. A row is on the branch where the text
since the window's start is the verifier's own choice: elsewhere no decoding goes. Adapters are compared on the same windows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipe.data.token_files import load_split
from recipe.evaluate.evaluate import LENGTH, evaluate, held_out_sequences
from recipe.model.converted import load_converted
from recipe.model.gated import load_gated
from recipe.model.llama import Llama
from recipe.model.window_attention import DraftWindows, windows_hidden
from recipe.orders.continuations import continuations, until_end
from recipe.orders.own import loop_start
from recipe.orders.rollout import rows_logits
from recipe.train.draft_states import MOST_MASKS, on_branch
from recipe.train.objective import clean_half

PROMPT = 64
BATCH = 16
"""Own texts written at once."""


@dataclass(frozen=True)
class Text:
    """A text and the positions at which windows of every length stand."""

    ids: Tensor  # [L]
    starts: list[int]


@dataclass(frozen=True)
class Drafted:
    """The rows [R] of all windows of one length over one text."""

    windows: DraftWindows
    right: Tensor  # the draft is the verifier's choice
    branch: Tensor
    confidence: Tensor  # probability of the draft


@torch.no_grad()
def drafted(model: Llama, text: Text) -> list[Drafted]:
    """Windows of 1, 2, ... MOST_MASKS masks over a text."""
    clean, kept = clean_half(model, text.ids, through_clean=False)
    greedy = rows_logits(model, clean).argmax(-1)
    found = []
    for masks in range(1, MOST_MASKS + 1):
        start = torch.tensor(text.starts, device=text.ids.device)
        windows = DraftWindows(start, torch.full_like(start, masks))
        confidence, choice = rows_logits(model, windows_hidden(model, windows, kept)).softmax(-1).max(-1)
        right = choice == greedy[windows.position]
        found.append(Drafted(windows, right, on_branch(text.ids, greedy, windows), confidence))
    return found


def mean_of(value: NDArray[np.float64], rows: NDArray[np.float64]) -> dict[str, float]:
    """Mean over the rows of all texts, from each text's sum and number of rows; the standard error takes a text's rows as dependent."""
    total = float(rows.sum())
    if not total:
        return {"n": 0}
    mean = float(value.sum()) / total
    spread = float(((value - mean * rows) ** 2).sum()) * len(rows) / max(1, len(rows) - 1)
    return {"n": int(total), "mean": round(mean, 4), "se": round(spread**0.5 / total, 4)}


def engine_forwards(agreed: Mapping[int, int], first: int, end: int, masks: int) -> tuple[int, int]:
    """(tokens, forwards) of verified decoding from `first` on until `end`, where agreed[p] drafts in a row of the window at p are right.

    As the engine counts: the id at a window's start is causal and known with its drafts. The next forward checks the drafts. It also
    drafts the next window, which is lost with the first draft that is refused: the forward after that has nothing to check.
    """
    at, forwards, window = first, 0, None
    while at < end:
        forwards += 1
        if window is None:
            window, at = at, at + 1
        else:
            right = agreed[window]
            at = window + right + 2  # the id after them is causal
            window = at - 1 if right == masks else None
    return at - first, forwards


def texts_of_others(parts: Mapping[str, NDArray[np.uint16]], count: int, phases: int) -> list[Text]:
    """Held-out text, with windows at as many positions, evenly spread."""
    starts = np.linspace(16, LENGTH - MOST_MASKS, phases).astype(int).tolist()
    return [Text(ids, starts) for ids in held_out_sequences(parts, count)]


def own_texts(model: Llama, parts: Mapping[str, NDArray[np.uint16]], count: int) -> list[Text]:
    """Greedy text of the model after beginnings of held-out text, up to its end or its loop, with a window at every position."""
    prompts = held_out_sequences(parts, count, PROMPT)
    texts = []
    for at in range(0, count, BATCH):
        batch = torch.stack(prompts[at : at + BATCH])
        for prompt, made in zip(batch, continuations(model, batch, LENGTH - PROMPT).tolist(), strict=True):
            ids = until_end(made)
            ids = ids[: loop_start(ids)]
            text = torch.cat([prompt, torch.tensor(ids, dtype=prompt.dtype, device=prompt.device)])
            starts = list(range(PROMPT, len(text) - MOST_MASKS + 1))
            if starts:
                texts.append(Text(text, starts))
    return texts


OFFERED = 0.3
"""Least confidence of a draft that the engine offers to the verifier by default."""


def scores(texts: list[Text], found: list[list[Drafted]], before: list[list[Drafted]] | None) -> dict[str, dict[str, float]]:
    """Agreement by masks, place and branch, of windows over texts; `before`: of the same windows, to compare with."""
    result: dict[str, dict[str, float]] = {}
    for masks in range(1, MOST_MASKS + 1):
        rows = [one[masks - 1] for one in found]
        earlier = [one[masks - 1] for one in before] if before else None
        for place in range(masks):
            for branch in (True, False):
                where = [(row.windows.offset == place) & (row.branch == branch) for row in rows]
                count = np.array([float(at.sum()) for at in where])
                key = f"masks {masks} position {place + 2} {'on' if branch else 'off'}"
                right = np.array([float(row.right[at].sum()) for row, at in zip(rows, where, strict=True)])
                result[key] = mean_of(right, count)
                if earlier:
                    was = np.array([float(row.right[at].sum()) for row, at in zip(earlier, where, strict=True)])
                    gain = mean_of(right - was, count)
                    result[key] |= {f"gain_{name}": value for name, value in gain.items() if name != "n"}
        silent = [row.right & row.branch & (row.confidence < OFFERED) for row in rows]
        known = [row.right & row.branch for row in rows]
        sums = [np.array([float(at.sum()) for at in part]) for part in (silent, known)]
        result[f"masks {masks} right but below {OFFERED}"] = mean_of(*sums)
    return result


def tokens_per_forward(texts: list[Text], found: list[list[Drafted]]) -> dict[str, float]:
    """By masks: as verified decoding would write these texts, all drafts offered."""
    result = {}
    for masks in range(1, MOST_MASKS + 1):
        tokens = forwards = 0
        for text, one in zip(texts, found, strict=True):
            agreed = one[masks - 1].right.view(-1, masks).long().cumprod(1).sum(1).tolist()
            written = engine_forwards(dict(zip(text.starts, agreed, strict=True)), text.starts[0], text.starts[-1] + 1, masks)
            tokens, forwards = tokens + written[0], forwards + written[1]
        result[f"masks {masks}"] = round(tokens / forwards, 3)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the converted model that verifies")
    parser.add_argument("--adapters", nargs="+", default=["none"], help="gated adapters, or none; gains are over the first")
    parser.add_argument("--texts", type=int, default=64, help="held-out texts, and beginnings of own ones")
    parser.add_argument("--phases", type=int, default=64, help="windows of every length over a held-out text")
    parser.add_argument("--sequences", type=int, default=32, help="texts for the accuracies of python -m recipe evaluate; 0: none")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    base = load_converted(arguments.model)[0]
    parts = load_split("heldout")
    sets = {"held-out": texts_of_others(parts, arguments.texts, arguments.phases), "own": own_texts(base, parts, arguments.texts)}
    first: dict[str, list[list[Drafted]]] = {}
    report: dict[str, object] = {}
    for name in arguments.adapters:
        model = base if name == "none" else load_gated(base, Path(name))
        result: dict[str, object] = {}
        for kind, texts in sets.items():
            found = [drafted(model, text) for text in texts]
            table = scores(texts, found, first.get(kind))
            first.setdefault(kind, found)
            result[kind] = table
            for key, values in table.items():
                print(f"{name} {kind} {key}: {values}", flush=True)
        result["own tokens per forward"] = tokens_per_forward(sets["own"], found)
        if arguments.sequences:
            result["accuracies"] = evaluate(model, held_out_sequences(parts, arguments.sequences))
        report[name] = result
    print(json.dumps(report))
