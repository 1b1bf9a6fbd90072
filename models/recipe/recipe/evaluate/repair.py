"""How well wrong visible tokens are found and corrected: one revising forward over blocks with 1..4 substituted tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipe.data.edits import Confusions
from recipe.model.llama import Llama
from recipe.progress import progress
from recipe.train.objective import clean_half, noisy_half

BLOCK = 8
COUNTS = (1, 2, 3, 4)
"""Wrong tokens per block."""
THRESHOLDS = (0.5, 0.9)
"""A visible token is replaced if another one is the best and has at least this probability."""


def corrupted(ids: NDArray[np.int64], count: int, confusions: Confusions, rng: np.random.Generator) -> NDArray[np.int64]:
    """`ids` [L] with `count` substitutes in every block but the first. A block's first token stays, because it is decided causally."""
    noisy = ids.copy()
    for start in range(BLOCK, len(ids), BLOCK):
        for offset in rng.choice(np.arange(1, BLOCK), size=count, replace=False):
            noisy[start + offset] = confusions.substitute(int(ids[start + offset]), ids, rng)
    return noisy


def area_under_curve(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Probability that a positive has a higher score than a negative; a tie counts half."""
    order = np.sort(scores)
    # Average rank of each score among all of them.
    rank = (np.searchsorted(order, scores, "left") + np.searchsorted(order, scores, "right") + 1) / 2
    positives = int(positive.sum())
    negatives = len(positive) - positives
    return float((rank[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


FALSE_ALARMS = (0.01, 0.05)
"""Shares of right tokens that a threshold on the probability of the visible token suspects."""


def recall_at(visible: NDArray[np.float64], wrong: NDArray[np.bool_], alarms: float) -> tuple[float, float]:
    """(threshold, share of wrong tokens below it): the threshold that a share `alarms` of the right tokens is below."""
    bar = float(np.quantile(visible[~wrong], alarms))
    return bar, float((visible[wrong] < bar).mean())


@dataclass
class Repairs:
    """The findings in blocks with one number of wrong tokens."""

    visible: list[NDArray[np.float64]] = field(default_factory=list)  # probability of each visible token
    wrong: list[NDArray[np.bool_]] = field(default_factory=list)
    revised: dict[float, list[NDArray[np.bool_]]] = field(default_factory=lambda: {t: [] for t in THRESHOLDS})  # right afterwards
    fixed: dict[float, list[NDArray[np.bool_]]] = field(default_factory=lambda: {t: [] for t in THRESHOLDS})  # the whole block is


def predictions(model: Llama, hidden: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows [N, d] -> the best id, its probability and that of the ids `seen`, each [N]; the mask token is no candidate."""
    assert model.mask_id is not None
    logits = model.logits(hidden)
    logits[:, model.mask_id] = float("-inf")
    probability = logits.softmax(-1)
    best = probability.max(-1)
    return best.indices, best.values, probability[torch.arange(len(seen), device=seen.device), seen]


@torch.no_grad()
def repair_scores(model: Llama, sequences: list[Tensor], confusions: Confusions) -> dict[str, float]:
    """For 1..4 wrong tokens: blocks corrected exactly, right tokens kept, and how well p(visible token) tells wrong from right.

    That is the AUC, and the share of wrong tokens found at fixed shares of false alarms, with the thresholds (the editor's tau_visible).
    """
    found = {count: Repairs() for count in COUNTS}
    for index, ids in enumerate(progress(sequences, "repair")):
        device = ids.device
        rng = np.random.default_rng([4321, index])
        versions = np.stack([corrupted(ids.cpu().numpy(), count, confusions, rng) for count in COUNTS])
        noisy = torch.from_numpy(versions).to(device)
        _, kept = clean_half(model, ids, through_clean=False)
        hidden = noisy_half(model, noisy, kept, BLOCK)
        position = torch.arange(BLOCK, len(ids), device=device)
        position = position[position % BLOCK != 0]
        for version, states, repairs in zip(noisy, hidden, found.values(), strict=True):
            seen, target = version[position], ids[position]
            best, confidence, visible = predictions(model, states[position - 1], seen)
            repairs.visible.append(visible.double().cpu().numpy())
            repairs.wrong.append((seen != target).cpu().numpy())
            for threshold in THRESHOLDS:
                right = torch.where(confidence >= threshold, best, seen) == target
                repairs.revised[threshold].append(right.cpu().numpy())
                repairs.fixed[threshold].append(right.view(-1, BLOCK - 1).all(dim=1).cpu().numpy())
    scored = np.concatenate([part for repairs in found.values() for part in repairs.visible])
    wrong = np.concatenate([part for repairs in found.values() for part in repairs.wrong])
    scores = {"repair_auc": area_under_curve(-scored, wrong)}
    for alarms in FALSE_ALARMS:
        bar, recall = recall_at(scored, wrong, alarms)
        scores |= {f"repair_recall_{alarms * 100:.0f}": recall, f"repair_tau_{alarms * 100:.0f}": bar}
    for threshold in THRESHOLDS:
        mark = f"{threshold * 100:.0f}"
        revised = np.concatenate([part for r in found.values() for part in r.revised[threshold]])
        scores |= {f"repair_kept_{mark}": float(revised[~wrong].mean()), f"repair_corrected_{mark}": float(revised[wrong].mean())}
        scores |= {f"repair{count}_fixed_{mark}": float(np.concatenate(r.fixed[threshold]).mean()) for count, r in found.items()}
    return {key: round(value, 4) for key, value in scores.items()}
