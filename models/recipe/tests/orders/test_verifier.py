from __future__ import annotations

import numpy as np
import pytest

from recipe.data.tokenizer import END_OF_TEXT
from recipe.orders.prompts import document_prompts
from recipe.orders.verifier import agreement, code_verifier, parses
from tests.toy_tokenizer import toy_tokenizer

SOUND = {
    "python": [
        "import os\n\ndef f(a, b):\n    if a:\n        return {\n            'x': [1, 2,\n",
        'def f():\n    """What it does and why\n    and more',
        "class A:\n    def g(self):\n",
        "try:\n    x = 1\n",
        "x = 1\ny = foo(x, 'unfin",
    ],
    "javascript": [
        "import { a, b } from './c.js';\n/** A comment\n * that goes on",
        "export function f<T>(x: T): T {\n  if (x) {\n    return [1, 2,\n",
        "const s = `a ${f({ b: '}' })} c`;\nfoo(() => {\n  bar();\n",
        "interface A { readonly b: string; }\nclass B implements A {\n  b = 'x';\n  m(): void {",
        "const x = 1;\nconst y = ",
    ],
}
BROKEN = {
    "python": [
        "def f(:\n    pass\nx = 1\ny = 2\nz = 3\n",
        "x = = 1\ny = 2\nz = 3\n",
        "a b c\nx = 1\ny = 2\nz = 3\n",
        "x = (1\ny = 2]\nz = 3\nw = 4\n",
    ],
    "javascript": [
        "function (((\nlet x = 1;\nlet y = 2;\nlet z = 3;\n",
        "const = 1;\nlet x = 1;\nlet y = 2;\nlet z = 3;\n",
        "f(1]);\nlet x = 1;\nlet y = 2;\n\n",
    ],
}


@pytest.mark.parametrize(("language", "text"), [(language, text) for language, texts in SOUND.items() for text in texts])
def test_beginnings_of_programs_parse(language: str, text: str) -> None:
    assert parses(text, language)


@pytest.mark.parametrize(("language", "text"), [(language, text) for language, texts in BROKEN.items() for text in texts])
def test_what_no_program_begins_with_does_not(language: str, text: str) -> None:
    assert not parses(text, language)


def test_agreement_ends_with_the_text() -> None:
    assert agreement([5, 6, 7, 8], [5, 9, 7, 9]) == 0.5
    assert agreement([5, END_OF_TEXT, 7, 8], [5, END_OF_TEXT, 9, 9]) == 1.0


def test_the_score_is_half_parsing_and_half_agreement() -> None:
    tokenizer = toy_tokenizer()
    verifier = code_verifier(tokenizer, "python")
    prompt = tokenizer.encode("x = f(\n").ids
    good, bad = tokenizer.encode("1, 2)\ny = 3\nz = 4\n").ids, tokenizer.encode("1 = )\ny = 3\nz = 4\n").ids
    assert verifier(prompt, good, good) == 1.0
    assert verifier(prompt, good, [0] * len(good)) == 0.5
    assert verifier(prompt, bad, bad) == 0.5
    assert verifier(prompt, tokenizer.encode("1, 1, 1, 1, 1, 1, 1, 1, 1, ").ids, [1] * 27) == 0.0
    # What follows the end of the text belongs to another one.
    assert verifier(prompt, [*good, END_OF_TEXT, *bad], [*good, END_OF_TEXT, *bad]) == 1.0


def test_prompts_are_beginnings_that_parse() -> None:
    tokenizer = toy_tokenizer()
    documents = ["x = 1\n" * 20, "x = = 1\n" * 20, "y\n"]
    encoded = [tokenizer.encode(text).ids for text in documents]
    tokens = np.array([token for ids in encoded for token in [*ids, END_OF_TEXT]], dtype=np.uint16)
    prompts = document_prompts(tokens, tokenizer, "python", (8, 64), 10, np.random.default_rng(0))
    assert len(prompts) == 1
    assert len(prompts[0]) % 8 == 0
    assert prompts[0] == encoded[0][: len(prompts[0])]
    assert document_prompts(tokens, tokenizer, "python", (8, 64), 0, np.random.default_rng(0)) == []
