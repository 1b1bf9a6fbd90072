"""Edit noise: wrong visible tokens, the second stage of Seed Diffusion (arXiv 2508.02193, two-stage curriculum).

k = floor(n * alpha) operations with alpha ~ U(0, 0.1) are applied one after the other: delete, insert, substitute. A block-wise model
predicts the token of a fixed position, so an operation must not move tokens of other blocks. A deletion pulls the rest of its block to
the left and leaves a mask at the block's end. An insertion pushes the block's last token out. Both make several visible tokens wrong, so
they are rarer than substitutions. A block's first token is decided causally before the block is denoised, so it stays. Special tokens
stay too, and no operation moves one.

There is no carry-over unmasking: every position but a block's first counts. Right visible tokens have a small weight, because they are
many and mostly easy; wrong ones count as much as masked ones. Half of the blocks keep their masks, because the sampler edits while it
denoises. The others are fully visible, as when it revises a full block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from recipe.data.tokenizer import MASK_ID

MAX_SHARE = 0.1
"""alpha is drawn from U(0, MAX_SHARE)."""
OPERATIONS = ("substitute", "delete", "insert")
OPERATION_WEIGHTS = (0.6, 0.2, 0.2)
OWN_GUESS = 1 / 3
"""Share of substitutes that are the model's own best wrong guesses. The objective fills them in."""
OWN_RANKS = 3
FROM_TEXT = 0.6
"""Share of the other substitutes that come from the same window."""
RIGHT_WEIGHT = 0.2
"""Weight of a right visible token; a wrong or a masked one has 1."""
UNMASKED_BLOCKS = 0.5
SPECIAL = MASK_ID + 1
"""Ids below are special tokens."""


def token_kinds(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Kind [V] of every id: word, digit, sign, white space, each with or without a space before it. Substitutes are of the same kind."""
    size = tokenizer.get_vocab_size()
    texts = tokenizer.decode_batch([[index] for index in range(size)], skip_special_tokens=False)
    kinds = np.zeros(size, dtype=np.int64)
    for index, text in enumerate(texts):
        body = text.strip(" ")
        if index < SPECIAL or "\ufffd" in body:
            kind = 0  # special or part of a character
        elif not body.strip():
            kind = 1
        elif body.isdigit():
            kind = 2
        elif body[0].isalpha() or body[0] == "_":
            kind = 3
        else:
            kind = 4
        kinds[index] = 2 * kind + int(text.startswith(" "))
    return kinds


@dataclass(frozen=True)
class Confusions:
    """Plausible wrong tokens."""

    kinds: NDArray[np.int64]  # [V]
    common: NDArray[np.int64]  # ids to draw from beside the text's own

    def substitute(self, token: int, text: NDArray[np.int64], rng: np.random.Generator) -> int:
        """Another id of the same kind, from the text or from the common ids; `token` itself if there is none."""
        pools = [text, self.common] if rng.random() < FROM_TEXT else [self.common, text]
        for pool in pools:
            others = pool[(self.kinds[pool] == self.kinds[token]) & (pool != token) & (pool >= SPECIAL)]
            if len(others):
                return int(others[rng.integers(len(others))])
        return token


@dataclass(frozen=True)
class Edited:
    """One noisy version of a text [L]."""

    ids: NDArray[np.int64]  # [L]
    own: NDArray[np.int64]  # [L], n > 0: the model's n-th best wrong guess goes here


def edit(ids: NDArray[np.int64], block: int, confusions: Confusions, rng: np.random.Generator) -> Edited:
    """`ids` [L] after k = floor(L * alpha) operations."""
    noisy, own = ids.copy(), np.zeros_like(ids)
    operations = int(len(ids) * rng.uniform(0, MAX_SHARE))
    for operation in rng.choice(OPERATIONS, size=operations, p=OPERATION_WEIGHTS):
        at = int(rng.integers(len(ids)))
        end = at - at % block + block
        touched = slice(at, at + 1) if operation == "substitute" else slice(at, end)
        special = (noisy[touched] < SPECIAL) & (noisy[touched] != MASK_ID)
        if at % block == 0 or special.any() or noisy[at] == MASK_ID:
            continue
        if operation != "substitute":
            own[at:end] = 0  # a guess belongs to its position and does not move
        if operation == "delete":
            noisy[at : end - 1] = noisy[at + 1 : end]
            noisy[end - 1] = MASK_ID
        elif operation == "insert":
            token = confusions.substitute(int(noisy[at]), ids, rng)
            noisy[at + 1 : end] = noisy[at : end - 1]
            noisy[at] = token
        elif rng.random() < OWN_GUESS:
            own[at] = int(rng.integers(1, OWN_RANKS + 1))
        else:
            noisy[at] = confusions.substitute(int(noisy[at]), ids, rng)
    return Edited(noisy, own)


def edit_noise(
    ids: NDArray[np.int64], mask: NDArray[np.bool_], block: int, confusions: Confusions, rng: np.random.Generator
) -> tuple[Edited, NDArray[np.float32]]:
    """Edits, then the mask noise [L] of half of the blocks; and the weight [L] of every position."""
    edited = edit(ids, block, confusions, rng)
    hidden = mask & np.repeat(rng.random(len(ids) // block) >= UNMASKED_BLOCKS, block)
    noisy = np.where(hidden, MASK_ID, edited.ids)
    own = np.where(noisy == MASK_ID, 0, edited.own)
    right = (noisy == ids) & (own == 0)
    weight = np.where(right, RIGHT_WEIGHT, 1.0).astype(np.float32)
    weight[::block] = 0
    return Edited(noisy, own), weight
