from __future__ import annotations

import json

import numpy as np
import torch

from recipe.data.windows import Windows
from recipe.orders.own import LEAST_KEPT, loop_start, loops, own_texts
from recipe.train.sequences import NoisySequences
from recipe.train.settings import Settings


def line(prompt: list[int], ids: list[int]) -> str:
    return json.dumps({"prompt": prompt, "ids": ids, "steps": [], "log_likelihood": -1.0})


def test_loops_by_hand() -> None:
    assert not loops(list(range(20)))
    assert loops([1, 2, 3] * 10)
    assert not loops([])


def test_short_and_looping_texts_are_left_out() -> None:
    good = line([1, 2], list(range(10, 20)))
    texts = own_texts([good, line([1, 2], [3]), line([1, 2], [5, 6] * 10)], 8)
    assert texts.tolist() == [[1, 2, 10, 11, 12, 13, 14, 15]]
    assert own_texts([], 8).shape == (0, 8)


def test_a_loop_starts_at_its_second_turn() -> None:
    prose = list(range(100, 140))
    assert loop_start(prose) == 40
    assert loop_start([*prose, 1, 2, 3, 4, 5] + [1, 2, 3, 4, 5] * 8) == 45
    # A phrase that comes again is none.
    assert loop_start([*prose, 1, 2, 3, 4, 5, 6, 7, 8, *range(50, 60), 1, 2, 3, 4, 5, 6, 7, 8, *range(60, 90)]) == 96
    assert loop_start([]) == 0


def test_texts_are_cut_at_their_loop_and_the_shorter_ones_joined() -> None:
    sound = list(range(100, 100 + 2 * LEAST_KEPT))
    cut = line([1, 2], [*sound, 7, 7, 7, 7] + [7] * 40)
    short = line([3, 4], list(range(200, 200 + LEAST_KEPT)))
    least = line([5, 6], [*range(300, 299 + LEAST_KEPT)])
    stream = [1, 2, *sound, 7, 0, 3, 4, *range(200, 200 + LEAST_KEPT), 0]
    assert own_texts([cut, least, short], 50).tolist() == [stream[:50]]
    assert own_texts([cut, short], 9).tolist() == [[1, 2, *sound[:7]], [3, 4, *range(200, 207)]]


def test_own_texts_take_their_share_and_carry_no_causal_loss() -> None:
    windows = Windows([np.arange(100, 9000, dtype=np.uint16) % 500 + 100], 64, seed=0)
    own = (np.arange(128, dtype=np.uint16) % 96).reshape(2, 64)
    settings = Settings(length=64, infill_rate=0.0, own_share=0.5, causal_share=1.0)
    data = NoisySequences(windows, settings, None, np.arange(10), 3, torch.device("cpu"), own)
    drawn = [data.sequence(i) for i in range(200)]
    ours = [sequence for sequence in drawn if int(sequence.ids[0]) < 100]
    assert 70 < len(ours) < 130
    assert {tuple(sequence.ids.tolist()) for sequence in ours} == {tuple(text) for text in own.tolist()}
    assert all(sequence.causal_weight == 0 for sequence in ours)
    assert all(sequence.causal_weight > 0 for sequence in drawn if int(sequence.ids[0]) >= 100)
    without = NoisySequences(windows, settings, None, np.arange(10), 3, torch.device("cpu"))
    assert all(int(without.sequence(i).ids[0]) >= 100 for i in range(50))
