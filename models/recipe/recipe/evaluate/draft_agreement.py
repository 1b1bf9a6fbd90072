"""python -m recipe draft-agreement: how often drafts are what the frozen verifier would write. Last stdout line is JSON.

On held-out text and on text of the verifier's own, for windows of 1..3 masks after a known id. A row is on the branch where the text
since the window's start is the verifier's own choice: elsewhere no decoding goes. Adapters are compared on the same windows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipe.data.token_files import load_split
from recipe.device import best_device
from recipe.evaluate.evaluate import LENGTH, evaluate, held_out_sequences
from recipe.model.gated import load_gated
from recipe.model.llama import Llama
from recipe.model.start import check_start, load_model
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
    """The rows [R] of windows of 1, 2, ... MOST_MASKS masks at each start of a text."""

    windows: DraftWindows
    right: Tensor  # the draft is the verifier's choice
    branch: Tensor
    confidence: Tensor  # probability of the draft

    def rows(self, masks: int, place: int | None = None) -> Tensor:
        """[R], which rows belong to windows of so many masks, and stand at the place."""
        chosen = self.windows.length[self.windows.window] == masks
        return chosen if place is None else chosen & (self.windows.offset == place)


@torch.no_grad()
def drafted(verifier: Llama, drafters: Sequence[Llama], text: Text) -> list[Drafted]:
    """The same windows by every drafter, over one clean forward: all have the verifier's clean rows."""
    clean, kept = clean_half(verifier, text.ids, through_clean=False)
    greedy = rows_logits(verifier, clean).argmax(-1)
    lengths = torch.arange(1, MOST_MASKS + 1, device=text.ids.device).repeat_interleave(len(text.starts))
    windows = DraftWindows(torch.tensor(text.starts, device=text.ids.device).repeat(MOST_MASKS), lengths)
    branch = on_branch(text.ids, greedy, windows)
    found = []
    for drafter in drafters:
        confidence, choice = rows_logits(drafter, windows_hidden(drafter, windows, kept)).softmax(-1).max(-1)
        found.append(Drafted(windows, choice == greedy[windows.position], branch, confidence))
    return found


def mean_of(value: NDArray[np.float64], rows: NDArray[np.float64]) -> dict[str, float]:
    """Mean over the rows of all texts, from each text's sum and number of rows; the standard error takes a text's rows as dependent."""
    total = float(rows.sum())
    if not total:
        return {"n": 0}
    mean = float(value.sum()) / total
    spread = float(((value - mean * rows) ** 2).sum()) * len(rows) / max(1, len(rows) - 1)
    return {"n": int(total), "mean": round(mean, 4), "se": round(spread**0.5 / total, 4)}


def engine_forwards(agreed: Mapping[int, int], first: int, end: int, masks: int | Mapping[int, int]) -> tuple[int, int]:
    """(tokens, forwards) of verified decoding from `first` on until `end`, where agreed[p] drafts in a row of the window at p are right.

    masks: the drafts of every window, or how many of them the window at p offers.

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
            offered = masks if isinstance(masks, int) else masks[window]
            window = at - 1 if right == offered else None
    return at - first, forwards


def texts_of_others(parts: Mapping[str, NDArray[np.uint16]], count: int, phases: int) -> list[Text]:
    """Held-out text, with windows at as many positions, evenly spread."""
    starts = np.linspace(16, LENGTH - MOST_MASKS, phases).astype(int).tolist()
    return [Text(ids.to(best_device()), starts) for ids in held_out_sequences(parts, count)]


def own_texts(model: Llama, parts: Mapping[str, NDArray[np.uint16]], count: int, phases: int) -> list[Text]:
    """Greedy text of the model after beginnings of held-out text, up to its end or its loop, with windows at its first positions."""
    prompts = held_out_sequences(parts, count, PROMPT)
    texts = []
    for at in range(0, count, BATCH):
        batch = torch.stack(prompts[at : at + BATCH]).to(best_device())
        # So many that the last window's drafts are there too.
        for prompt, made in zip(batch, continuations(model, batch, phases + MOST_MASKS).tolist(), strict=True):
            ids = until_end(made)
            ids = ids[: loop_start(ids)]
            text = torch.cat([prompt, torch.tensor(ids, dtype=prompt.dtype, device=prompt.device)])
            starts = list(range(PROMPT, len(text) - MOST_MASKS + 1))[:phases]
            if starts:
                texts.append(Text(text, starts))
    return texts


OFFERED = 0.3
"""Least confidence of a draft that the engine offers to the verifier by default."""


def scores(found: Sequence[Drafted], before: Sequence[Drafted]) -> dict[str, dict[str, float]]:
    """Agreement by masks, position and branch, over texts; gains are over `before`, on the same windows."""
    result: dict[str, dict[str, float]] = {}
    for masks in range(1, MOST_MASKS + 1):
        for place in range(masks):
            for branch in (True, False):
                where = [one.rows(masks, place) & (one.branch == branch) for one in found]
                count = np.array([float(at.sum()) for at in where])
                right, was = (np.array([float(o.right[at].sum()) for o, at in zip(of, where, strict=True)]) for of in (found, before))
                gain = {f"gain_{name}": value for name, value in mean_of(right - was, count).items() if name != "n"}
                result[f"masks {masks} position {place + 2} {'on' if branch else 'off'}"] = mean_of(right, count) | gain
        known = [one.right & one.branch & one.rows(masks) for one in found]
        silent = [float((one.confidence[at] < OFFERED).sum()) for one, at in zip(found, known, strict=True)]
        result[f"masks {masks} right but below {OFFERED}"] = mean_of(np.array(silent), np.array([float(at.sum()) for at in known]))
    return result


def tokens_per_forward(texts: Sequence[Text], found: Sequence[Drafted]) -> dict[str, float]:
    """By masks: as verified decoding would write these texts, all drafts offered."""
    result = {}
    for masks in range(1, MOST_MASKS + 1):
        tokens = forwards = 0
        for text, one in zip(texts, found, strict=True):
            agreed = one.right[one.rows(masks)].view(-1, masks).long().cumprod(1).sum(1).tolist()
            written = engine_forwards(dict(zip(text.starts, agreed, strict=True)), text.starts[0], text.starts[-1] + 1, masks)
            tokens, forwards = tokens + written[0], forwards + written[1]
        result[f"masks {masks}"] = round(tokens / forwards, 3)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the model that verifies, converted (models/NAME) or an export")
    parser.add_argument("--adapters", nargs="+", default=["none"], help="gated adapters, or none; gains are over the first")
    parser.add_argument("--texts", type=int, default=64, help="held-out texts, and beginnings of own ones")
    parser.add_argument("--phases", type=int, default=64, help="positions of windows in a text")
    parser.add_argument("--sequences", type=int, default=32, help="texts for the accuracies of python -m recipe evaluate; 0: none")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = best_device()
    verifier = load_model(arguments.model).to(device)
    for adapter in (Path(name) for name in arguments.adapters if name != "none"):
        check_start(adapter, arguments.model, "model")
    drafters = [verifier if name == "none" else load_gated(verifier, Path(name)).to(device) for name in arguments.adapters]
    parts = load_split("heldout")
    others = texts_of_others(parts, arguments.texts, arguments.phases)
    own = own_texts(verifier, parts, arguments.texts, arguments.phases)
    report: dict[str, dict[str, object]] = {name: {} for name in arguments.adapters}
    for kind, texts in (("held-out", others), ("own", own)):
        # One entry a drafter, of one entry a text.
        found = list(zip(*(drafted(verifier, drafters, text) for text in texts), strict=True))
        for name, one in zip(arguments.adapters, found, strict=True):
            table = scores(one, found[0])
            report[name][kind] = table
            print("\n".join(f"{name} {kind} {key}: {values}" for key, values in table.items()), flush=True)
            if kind == "own":
                report[name]["tokens per forward"] = tokens_per_forward(texts, one)
    for name, drafter in zip(arguments.adapters, drafters, strict=True):
        if arguments.sequences:
            report[name]["accuracies"] = evaluate(drafter, [ids.to(device) for ids in held_out_sequences(parts, arguments.sequences)])
    print(json.dumps(report))
