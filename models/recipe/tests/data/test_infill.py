from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

from recipe.data.infill import MARKERS, MAX_CHARACTERS, MAX_LINES, healed, hole, in_middle, rearranged, with_hole, with_holes
from recipe.data.tokenizer import END_OF_TEXT, FIM_END, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX
from tests.toy_tokenizer import toy_tokenizer

TEXT = "def add(a, b):\n    return a + b  # é\n\n\ndef twice(x):\n    y = add(x, x)\n    return y\n"
TOKENIZER = toy_tokenizer()


def parts_of(ids: list[int]) -> tuple[str, str, str]:
    """Decoded prefix, suffix and middle of a rearranged document."""
    at = [ids.index(marker) for marker in (FIM_SUFFIX, FIM_PREFIX, FIM_MIDDLE, FIM_END)]
    assert at == sorted(at)
    suffix, prefix, middle = (TOKENIZER.decode(ids[a + 1 : b]) for a, b in pairwise(at))
    return prefix, suffix, middle


@pytest.mark.parametrize("seed", range(40))
def test_each_kind_cuts_at_its_boundary(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start, end = hole(TEXT, "rest of line", rng)
    assert start < end
    assert "\n" not in TEXT[start:end]
    assert TEXT[end] == "\n"
    assert TEXT[start - 1 : start] != "\n" or TEXT[start] != " ", "the indentation stays in the prefix"
    start, end = hole(TEXT, "lines", rng)
    assert start == 0 or TEXT[start - 1] == "\n"
    assert TEXT[end - 1] == "\n"
    assert TEXT[start:end].strip()
    assert 1 <= TEXT[start:end].count("\n") <= MAX_LINES
    start, end = hole(TEXT, "span", rng)
    assert start < end
    for cut in (start, end):
        assert cut == len(TEXT) or not (TEXT[cut - 1].isalnum() and TEXT[cut].isalnum()), "inside a word"
    start, end = hole(TEXT, "characters", rng)
    assert 1 <= end - start <= MAX_CHARACTERS


@pytest.mark.parametrize("text", ["x", "\n", "   \n", "return", "\n\nab\n", "é"])
@pytest.mark.parametrize("kind", ["rest of line", "lines", "span", "characters"])
def test_the_smallest_texts_still_have_a_hole(kind: str, text: str) -> None:
    for seed in range(8):
        start, end = hole(text, kind, np.random.default_rng(seed))
        assert 0 <= start < end <= len(text)


@pytest.mark.parametrize("seed", range(40))
def test_the_three_parts_are_the_text(seed: int) -> None:
    ids = rearranged(TEXT, TOKENIZER, np.random.default_rng(seed), room=1000)
    prefix, suffix, middle = parts_of(ids)
    assert prefix + middle + suffix == TEXT
    assert middle
    assert set(ids[ids.index(FIM_END) + 1 :]) <= {END_OF_TEXT}


def test_context_gives_way_where_room_is_short() -> None:
    for seed in range(40):
        whole = rearranged(TEXT, TOKENIZER, np.random.default_rng(seed), room=1000)
        short = rearranged(TEXT, TOKENIZER, np.random.default_rng(seed), room=len(whole) - 20)
        prefix, suffix, middle = parts_of(whole)
        cut_prefix, cut_suffix, cut_middle = parts_of(short)
        assert cut_middle == middle
        assert prefix.endswith(cut_prefix.strip("\ufffd"))
        assert suffix.startswith(cut_suffix.strip("\ufffd"))
        if len(whole) - 20 >= len(short) > 0 and cut_prefix:
            assert cut_suffix == suffix, "the suffix gives way only when there is no prefix left"
            assert len(short) == len(whole) - 20


def window(documents: list[str], length: int) -> NDArray[np.int64]:
    """The last `length` ids of documents ended by end-of-text."""
    ids = [token for text in documents for token in [*TOKENIZER.encode(text).ids, END_OF_TEXT]]
    return np.array(ids[-length:], dtype=np.int64)


@pytest.mark.parametrize("extra", [0, 16])
@pytest.mark.parametrize(
    "documents",
    [[TEXT * 4], ["a = 1\n" * 6, TEXT, "b = 2\n"], ["a = 1\n"] * 40, ["é" * 200], [TEXT] * 3],
    ids=["one that fills the window", "one among small ones", "small ones", "characters of two bytes", "several"],
)
def test_a_window_has_its_length_and_its_markers(documents: list[str], extra: int) -> None:
    ids = window(documents, 96 + extra)
    for seed in range(20):
        changed = with_hole(ids, 96, TOKENIZER, np.random.default_rng(seed))
        assert changed.shape == (96,)
        assert changed.dtype == np.int64
        assert [int((changed == marker).sum()) for marker in MARKERS] == [1, 1, 1, 1]
        again = with_hole(ids, 96, TOKENIZER, np.random.default_rng(seed))
        assert (again == changed).all()
    assert any((with_hole(ids, 96, TOKENIZER, np.random.default_rng(s)) != changed).any() for s in range(19))


def test_neighbours_stay_and_the_document_can_be_put_together_again() -> None:
    before, after = "a = 1\n" * 10, "b = 2\n"
    ids = window([before, TEXT, after], 140)
    changed = with_hole(ids, 128, TOKENIZER, np.random.default_rng(3)).tolist()
    prefix, suffix, middle = parts_of(changed)
    assert prefix + middle + suffix == TEXT
    assert TOKENIZER.decode(changed[changed.index(FIM_END) + 1 :]) == after


def test_a_special_token_spelled_out_in_the_text_stays_text() -> None:
    tokenizer = toy_tokenizer()
    tokenizer.encode_special_tokens = True
    ids = rearranged('end = "<|endoftext|><|mask|>"\n' * 3, tokenizer, np.random.default_rng(0), room=1000)
    assert min(ids[: ids.index(FIM_END)]) >= FIM_PREFIX
    assert [ids.count(marker) for marker in MARKERS] == [1, 1, 1, 1]


def test_nothing_to_rearrange() -> None:
    ids = np.full(40, END_OF_TEXT, dtype=np.int64)
    assert (with_hole(ids, 32, TOKENIZER, np.random.default_rng(0)) == ids[:32]).all()


def test_the_positions_of_a_middle_are_its_content_and_its_end() -> None:
    ids = np.array([20, FIM_SUFFIX, 21, FIM_PREFIX, 22, FIM_MIDDLE, 23, 24, FIM_END, 0, FIM_SUFFIX, FIM_PREFIX, FIM_MIDDLE, FIM_END, 25])
    assert np.flatnonzero(in_middle(ids)).tolist() == [6, 7, 8, 13]
    assert not in_middle(np.arange(20, 40)).any()


def test_a_window_has_one_hole_or_one_in_each_half() -> None:
    ids = window([TEXT * 4], 128 + 16)
    counts = set()
    for seed in range(20):
        changed = with_holes(ids, 128, 16, TOKENIZER, np.random.default_rng(seed))
        assert changed.shape == (128,)
        held = [int((changed == marker).sum()) for marker in MARKERS]
        counts.add(held[0])
        assert held == [held[0]] * 4
        if held[0] == 2:
            assert [int((half == FIM_END).sum()) for half in (changed[:64], changed[64:])] == [1, 1]
    assert counts == {1, 2}


def test_a_window_without_left_context_has_one_hole() -> None:
    ids = window([TEXT * 4], 128)
    for seed in range(8):
        assert int((with_holes(ids, 128, 16, TOKENIZER, np.random.default_rng(seed)) == FIM_END).sum()) == 1


@pytest.mark.parametrize(
    ("prefix", "middle", "kept", "written"),
    [
        ("x:\n    ", "return x", ["x", ":", "\n", "ĠĠ", "Ġ"], ["Ġ", "ret", "u"]),
        ("x:\n", "  return x", ["x", ":", "\n"], ["Ġ", "Ġ"]),  # no other token begins with a line break
        ("a re", "turn", ["a", "Ġ"], ["ret", "u"]),
        ("", "ab", [], ["a", "b"]),
    ],
)
def test_what_is_written_begins_with_the_last_token_of_the_prefix(prefix: str, middle: str, kept: list[str], written: list[str]) -> None:
    before, after = healed(prefix, middle, TOKENIZER)
    assert TOKENIZER.decode(before) + TOKENIZER.decode(after) == prefix + middle
    newline = [token.replace("\n", "Ċ") for token in kept], [token.replace("\n", "Ċ") for token in written]
    assert [TOKENIZER.id_to_token(id) for id in before] == newline[0]
    assert [TOKENIZER.id_to_token(id) for id in after][: len(written)] == newline[1]


def test_a_character_that_is_cut_is_not_taken_apart() -> None:
    assert healed("é", "x", TOKENIZER) == (TOKENIZER.encode("é").ids, TOKENIZER.encode("x").ids)


FIXTURE = json.loads((Path(__file__).parents[4] / "test" / "fixtures" / "token-healing.json").read_text())


@pytest.mark.parametrize("case", FIXTURE, ids=lambda case: repr(case["text"]))
def test_texts_are_cut_as_the_engine_cuts_them(case: dict[str, Any]) -> None:
    """`test/engine/generation/token-healing.test.ts` reads the same file."""
    tokenizer = Tokenizer.from_file(str(Path(__file__).parents[3] / "seedling-135m" / "tokenizer.json"))
    kept, written = healed(case["text"], "", tokenizer)
    assert kept == case["kept"]
    assert tokenizer.decode(written) == case["begins"]
