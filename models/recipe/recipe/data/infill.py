"""Suffix-prefix-middle documents: the text around a hole, then the hole's content and an explicit end."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from recipe.data.tokenizer import END_OF_TEXT, FIM_END, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX

MARKERS = (FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE, FIM_END)
KINDS = ("rest of line", "lines", "span", "characters")
KIND_WEIGHTS = (0.35, 0.25, 0.25, 0.15)
MAX_LINES = 6
MAX_SPAN = 24
"""Longest span hole, tokens."""
MAX_CHARACTERS = 120
MAX_PADDING = 8
"""Up to this many end-of-text ids may follow the end of the middle, so that they fill the rest of a block."""


def hole(text: str, kind: str, rng: np.random.Generator) -> tuple[int, int]:
    """Character range [start, end) of a middle of the given kind. It is empty only if the text is."""
    if kind == "span":  # token-like boundaries: word starts
        starts = [i for i in range(1, len(text)) if not (text[i - 1].isalnum() and text[i].isalnum())] or [0]
        first = int(rng.integers(len(starts)))
        last = min(len(starts) - 1, first + int(rng.integers(1, MAX_SPAN)))
        return starts[first], (starts[last] if last > first else len(text))
    if kind == "characters":
        start = int(rng.integers(len(text)))
        return start, min(len(text), start + int(rng.integers(1, MAX_CHARACTERS)))
    lines = text.splitlines(keepends=True)
    offsets = np.concatenate([[0], np.cumsum([len(line) for line in lines])])
    wanted = [i for i, line in enumerate(lines) if line.strip()]
    if not wanted:
        return 0, len(text)
    first = int(rng.choice(wanted))
    if kind == "rest of line":
        body = lines[first].rstrip("\r\n")
        indent = len(body) - len(body.lstrip())
        column = indent if rng.random() < 0.5 else int(rng.integers(indent, len(body)))
        return int(offsets[first]) + column, int(offsets[first]) + len(body)
    last = min(len(lines), first + int(rng.integers(1, MAX_LINES + 1)))
    return int(offsets[first]), int(offsets[last])


@lru_cache(maxsize=1)
def sorted_tokens(tokenizer: Tokenizer) -> list[str]:
    """All tokens but the special ones, in the byte alphabet."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    return sorted(token for token in tokenizer.get_vocab() if token not in special)


def can_go_on(token: str, tokenizer: Tokenizer) -> bool:
    """Whether another token begins with this one. `token` is in the byte alphabet."""
    tokens = sorted_tokens(tokenizer)
    after = bisect_right(tokens, token)
    return after < len(tokens) and tokens[after].startswith(token)


def healed(prefix: str, middle: str, tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Ids of a prefix and of the middle after it. The middle begins with the prefix's last token, or with its last space.

    Text that is cut anywhere may end inside a token: code continues with "\\n   " and " return", not with "\\n    " and "return". Nothing
    moves if no other token begins with the last one. The engine does the same and restricts its first token to such a beginning
    (`src/engine/generation/token-healing.ts`).
    """

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    ids = encode(prefix)
    last = tokenizer.decode(ids[-1:], skip_special_tokens=True)
    token = str(tokenizer.id_to_token(ids[-1])) if ids else ""
    space = last.endswith((" ", "\t"))
    if not last or "\ufffd" in last or not can_go_on(token[-1] if space else token, tokenizer):
        return ids, encode(middle)
    if space:
        return encode(prefix[:-1]), encode(last[-1] + middle)
    return ids[:-1], encode(last + middle)


def rearranged(text: str, tokenizer: Tokenizer, rng: np.random.Generator, room: int) -> list[int]:
    """<suffix> S <prefix> P <middle> M <end>, sometimes padded. Each part is tokenized by itself, and M begins with the last token of P,
    as at inference.

    The prefix is next to the middle, as in ordinary text: Bavarian et al. 2022 (arXiv 2207.14255), section 3, SPM.

    If the middle and its markers fit, there are at most `room` ids: P is cut at its left, then S at its right.
    """
    start, end = hole(text, str(rng.choice(KINDS, p=KIND_WEIGHTS)), rng)
    prefix, middle = healed(text[:start], text[start:end], tokenizer)
    suffix = tokenizer.encode(text[end:], add_special_tokens=False).ids
    padding = int(rng.integers(1, MAX_PADDING + 1)) if rng.random() < 0.5 else 0
    over = max(0, len(prefix) + len(suffix) + len(middle) + padding + len(MARKERS) - room)
    suffix = suffix[: max(0, len(suffix) - max(0, over - len(prefix)))]
    prefix = prefix[over:]
    return [FIM_SUFFIX, *suffix, FIM_PREFIX, *prefix, FIM_MIDDLE, *middle, FIM_END, *[END_OF_TEXT] * padding]


def in_middle(ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each of ids [L] belongs to a hole's content or is the marker of its end, [L]."""
    opened = np.cumsum(ids == FIM_MIDDLE) - np.cumsum(ids == FIM_END)
    # Taken from the position before, so that the marker of the end is included and that of the middle is not.
    inside: NDArray[np.bool_] = np.concatenate([[0], opened[:-1]]) > 0
    return inside


def longest_document(ids: NDArray[np.int64]) -> tuple[int, int]:
    """Range [start, end) of the longest run of ids [L] without an end-of-text."""
    bounds = np.concatenate([[-1], np.flatnonzero(ids == END_OF_TEXT), [len(ids)]])
    longest = int(np.argmax(np.diff(bounds)))
    return int(bounds[longest]) + 1, int(bounds[longest + 1])


def document_text(ids: NDArray[np.int64], tokenizer: Tokenizer) -> str:
    """The text of ids [L], which may begin or end inside a character."""
    return tokenizer.decode(ids.tolist(), skip_special_tokens=False).strip("\ufffd")


def with_holes(ids: NDArray[np.int64], length: int, left: int, tokenizer: Tokenizer, rng: np.random.Generator) -> NDArray[np.int64]:
    """A window [length] of ids [left + length] with one hole, or with one in each half, because a short text also teaches a hole's end."""
    if len(ids) < left + length or rng.random() < 0.5:
        return with_hole(ids, length, tokenizer, rng)
    half = length // 2
    return np.concatenate([with_hole(ids[: left + half], half, tokenizer, rng), with_hole(ids[half:], length - half, tokenizer, rng)])


def with_hole(ids: NDArray[np.int64], length: int, tokenizer: Tokenizer, rng: np.random.Generator) -> NDArray[np.int64]:
    """A window [length] whose longest document is rearranged; `ids` is a longer window (more left context).

    The documents before and after stay. If the text does not fit, it is cut at the left, or at the right if the rearranged document would
    lose its markers.
    """
    start, end = longest_document(ids)
    # The markers and a retokenized seam need room: a document that fills the window gives up some of its left.
    start = max(start, end - (length - MAX_PADDING - 16))
    text = document_text(ids[start:end], tokenizer)
    if not text:
        return ids[-length:]
    middle = rearranged(text, tokenizer, rng, length)
    after = ids[end:].tolist()
    room = max(0, length - len(middle))
    right = after[: min(len(after), room)]
    left = ids[:start].tolist()[-(room - len(right)) :] if room > len(right) else []
    window = np.array(left + middle + right, dtype=np.int64)
    return window if len(window) == length else ids[-length:]
