"""Beginnings of documents for rollouts, with the verifier of their language."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from recipe.data.token_files import load_split, read_record
from recipe.data.tokenizer import END_OF_TEXT
from recipe.orders.verifier import Verifier, code_verifier, parses


def document_prompts(
    tokens: NDArray[np.uint16], tokenizer: Tokenizer, language: str, lengths: tuple[int, int], count: int, rng: np.random.Generator
) -> list[list[int]]:
    """Up to `count` beginnings of documents that parse. They start with the document, so that the verifier sees whole text.

    lengths: the shortest and the longest, in ids. Every beginning is a multiple of the shortest, so that blocks begin at its end.
    """
    shortest, longest = lengths
    bounds = np.concatenate([[-1], np.flatnonzero(tokens == END_OF_TEXT), [len(tokens)]])
    found: list[list[int]] = []
    for document in rng.permutation(len(bounds) - 1):
        if len(found) == count:
            break
        start, end = int(bounds[document]) + 1, int(bounds[document + 1])
        room = min(longest, end - start) // shortest
        if room:
            prompt = tokens[start : start + shortest * int(rng.integers(1, room + 1))].astype(np.int64).tolist()
            if parses(tokenizer.decode(prompt, skip_special_tokens=False).rstrip("\ufffd"), language):
                found.append(prompt)
    return found


def code_prompts(split: str, tokenizer: Tokenizer, lengths: tuple[int, int], count: int, seed: int) -> list[tuple[list[int], Verifier]]:
    """Up to `count` beginnings of documents of a split, with their verifiers: the same number from each package, as far as it has them."""
    rng = np.random.default_rng([seed, 11])
    parts = list(load_split(split).items())
    languages = {package["name"]: package["languages"] for package in read_record()["packages"]}
    share = -(-count // len(parts))
    found: list[tuple[list[int], Verifier]] = []
    for at in rng.permutation(len(parts)):
        name, tokens = parts[at]
        language = "python" if "python" in languages[name] else "javascript"
        verifier = code_verifier(tokenizer, language)
        wanted = min(share, count - len(found))
        found += [(prompt, verifier) for prompt in document_prompts(tokens, tokenizer, language, lengths, wanted, rng)]
    return found
