from __future__ import annotations

import math

import pytest
import torch

from recipe.data.tokenizer import END_OF_TEXT
from recipe.evaluate.holes import Hole, hole_scores, line_holes
from recipe.model import attention
from recipe.model.llama import Llama
from tests.conftest import TINY_MASK
from tests.toy_tokenizer import toy_tokenizer

TEXT = "def add(a, b):\n    return a + b  # sum\n\n\ndef twice(x):\n    y = add(x, x)\n    return y\n"
TOKENIZER = toy_tokenizer()


def test_a_hole_is_a_rest_of_a_line_of_the_longest_document() -> None:
    small = [*TOKENIZER.encode("a = 1\n").ids, END_OF_TEXT]
    ids = torch.tensor([*small, *TOKENIZER.encode(TEXT).ids, END_OF_TEXT, *small])
    nothing = torch.tensor(small * 3)
    (hole,) = line_holes([ids, nothing], TOKENIZER)
    prefix, suffix, middle = (TOKENIZER.decode(part) for part in (hole.prefix, hole.suffix, hole.middle))
    assert prefix + middle + suffix == TEXT
    assert "\n" not in middle
    assert suffix.startswith("\n")
    assert len(TEXT) / 4 <= len(prefix) < 3 * len(TEXT) / 4


def test_scores_are_those_of_the_framed_text(tiny: Llama) -> None:
    hole = Hole(prefix=[20, 21], suffix=[22], middle=[23, 24])
    scores = hole_scores(tiny, [hole])
    framed = torch.tensor([[9, 22, 8, 20, 21, 10, 23, 24, 11]])
    logits = tiny.logits(tiny.hidden(framed, torch.arange(9), attention.causal)[0]).detach()
    logits[:, TINY_MASK] = -math.inf
    log_p = logits.log_softmax(-1)
    assert scores["hole_nats"] == pytest.approx(-float(log_p[5, 23] + log_p[6, 24]) / 2, abs=1e-4)
    assert scores["hole_end_nats"] == pytest.approx(-float(log_p[7, 11]), abs=1e-4)
    assert scores["holes"] == 1
    assert scores["hole_exact"] == float(logits[5:8].argmax(-1).tolist() == [23, 24, 11])
    without = hole_scores(tiny, [Hole(prefix=[20, 21], suffix=[], middle=[23, 24])])
    assert scores["hole_nats_without_suffix"] == without["hole_nats"]


def test_what_greedy_decoding_writes_is_exact(tiny: Llama) -> None:
    prompt = [9, 22, 8, 20, 21, 10]
    written: list[int] = []
    for _ in range(3):
        ids = torch.tensor([prompt + written])
        logits = tiny.logits(tiny.hidden(ids, torch.arange(ids.shape[1]), attention.causal)[0, -1:]).detach()[0]
        logits[TINY_MASK] = -math.inf
        written.append(int(logits.argmax()))
    scores = hole_scores(tiny, [Hole([20, 21], [22], written), Hole([20, 21], [22], [*written[:-1], (written[-1] + 1) % 40])])
    assert scores["hole_line"] == 0.5
