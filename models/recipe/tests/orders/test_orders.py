from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from recipe.data.edits import RIGHT_WEIGHT, Confusions
from recipe.data.tokenizer import MASK_ID
from recipe.data.windows import Windows
from recipe.orders.order_noise import corrupted_states, order_states
from recipe.orders.orders import Orders, Selection, best_of, kept_orders
from recipe.orders.trajectories import Trajectory, final_steps, parse_trajectory, read_trajectories
from recipe.train.sequences import NoisySequences
from recipe.train.settings import Settings

ALL = Selection(keep=9, tolerance=10.0, most_steps=1.0)


def record(**changes: Any) -> dict[str, Any]:
    base = {
        "prompt": [1, 2],
        "ids": [20, 21, 22, 23],
        "steps": [[0, 3], [1, 3], [2]],
        "step_ids": [[20, 99], [21, 23], [22]],
        "block": 4,
        "log_likelihood": -2.0,
    }
    return base | changes


def one(ids: list[int], decided: list[int], log_likelihood: float, prompt: tuple[int, ...] = (1, 2), block: int = 4) -> Trajectory:
    return Trajectory(prompt, tuple(ids), tuple(decided), block, log_likelihood)


def test_states_of_a_trajectory_by_hand() -> None:
    trajectory = parse_trajectory(record())
    assert trajectory.decided == (1, 2, 3, 2)
    assert trajectory.per_token == -0.5
    assert trajectory.steps_per_token == 0.75
    assert [trajectory.state(step, 0) for step in (1, 2, 3, 4)] == [
        [0, 0, 0, 0],
        [20, 0, 0, 0],
        [20, 21, 0, 23],
        [20, 21, 22, 23],
    ]


def test_steps_that_do_not_lead_to_the_ids_are_refused() -> None:
    with pytest.raises(ValueError, match=r"offsets \[1\]"):
        final_steps([[0], [1]], [[5], [6]], [5, 7])
    with pytest.raises(ValueError, match=r"offsets \[1\]"):
        final_steps([[0]], [[5]], [5, 7])
    old = record()
    del old["step_ids"]
    with pytest.raises(ValueError, match="step_ids"):
        parse_trajectory(old)


def test_empty_generations_are_skipped() -> None:
    lines = [json.dumps(record(ids=[], steps=[], step_ids=[])), json.dumps(record())]
    assert len(list(read_trajectories(lines))) == 1


def test_the_best_of_a_pool_are_likely_and_short() -> None:
    ids = [list(range(n, n + 8)) for n in (20, 40, 60, 80)]
    slow = one(ids[0], [1, 2, 3, 4, 5, 6, 7, 8], -8.0)
    quick = one(ids[1], [1, 1, 1, 1, 2, 2, 2, 2], -8.2)
    quicker_but_less_likely = one(ids[2], [1] * 8, -8.3)
    unlikely = one(ids[3], [1] * 8, -20.0)
    loop = one([5] * 8, [1] * 8, -0.1)
    pool = [slow, quick, quicker_but_less_likely, unlikely, loop, quick]
    near = Selection(keep=9, tolerance=0.05, most_steps=1.0)
    assert best_of(pool, near) == [quicker_but_less_likely, quick, slow]
    assert best_of(pool, Selection(keep=9, tolerance=0.0, most_steps=1.0)) == [slow]
    assert best_of(pool, Selection(keep=1, tolerance=0.05, most_steps=1.0)) == [quicker_but_less_likely]
    assert best_of(pool, Selection(keep=9, tolerance=0.05, most_steps=0.5)) == [quicker_but_less_likely, quick]
    assert best_of([loop], ALL) == []
    # Equal steps: the likelier first.
    again = one(ids[0], [1] * 8, -8.1)
    assert best_of([quicker_but_less_likely, again], ALL) == [again, quicker_but_less_likely]


def test_kept_orders_are_cut_to_the_grid_and_pooled_by_prompt() -> None:
    long = one(list(range(30, 38)), [1, 2, 2, 3, 4, 4, 5, 5], -4.0, prompt=(1, 2, 3, 4, 5))
    worse = one(list(range(40, 48)), [1, 2, 3, 4, 5, 6, 7, 8], -9.0, prompt=(1, 2, 3, 4, 5))
    other = one(list(range(50, 58)), [1, 2, 3, 4, 5, 6, 7, 8], -9.0, prompt=(9, 9, 9, 9, 9), block=1)
    short = one([30, 31], [1, 2], -0.1, prompt=(7, 7))
    orders = kept_orders([long, worse, other, short], Selection(1, 0.1, 1.0), 12)
    assert orders.texts.tolist() == [[2, 3, 4, 5, *range(30, 38)], [9, 9, 9, 9, 9, *range(50, 57)]]
    assert orders.steps.tolist() == [[0, 0, 0, 0, 1, 2, 2, 3, 4, 4, 5, 5], [0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7]]
    assert orders.blocks.tolist() == [4, 1]
    assert kept_orders([short], ALL, 12).texts.shape == (0, 12)


def test_orders_come_back_from_their_file(tmp_path: Any) -> None:
    orders = kept_orders([one(list(range(30, 38)), [1] * 8, -4.0, prompt=())], ALL, 8)
    orders.save(tmp_path / "folder" / "orders.npz")
    back = Orders.load(tmp_path / "folder" / "orders.npz")
    assert back.texts.tolist() == orders.texts.tolist()
    assert back.steps.tolist() == orders.steps.tolist()
    assert back.blocks.tolist() == orders.blocks.tolist()


def test_states_of_order_noise_are_states_of_the_trajectory() -> None:
    steps = np.array([0, 0, 0, 0, 1, 2, 2, 3, 6, 4, 4, 5], dtype=np.uint16)
    # Masks and weights of each state of the two blocks of the continuation, by hand; `later` is 0.25.
    middle = {2: ([0, 1, 1, 1], [0, 1, 1, 0.25]), 3: ([0, 0, 0, 1], [0, 0, 0, 1])}
    last = {4: ([1, 1, 1, 1], [0, 1, 1, 0.25]), 5: ([1, 0, 0, 1], [0, 0, 0, 1])}
    rng = np.random.default_rng(0)
    seen: set[tuple[str, int]] = set()
    for _ in range(40):
        masked, weight = order_states(steps, 4, 0.25, rng)
        assert masked.shape == weight.shape == (12,)
        assert weight[0] == 0
        assert (weight[1:4] == masked[1:4]).all()
        for name, expected, at in (("middle", middle, 4), ("last", last, 8)):
            state = (masked[at : at + 4].astype(int).tolist(), weight[at : at + 4].tolist())
            assert state in expected.values()
            seen.add((name, list(expected.values()).index(state)))
    assert len(seen) == 4


def test_corrupted_states_count_wrong_visible_tokens() -> None:
    rng = np.random.default_rng(1)
    ids = np.arange(100, 164)
    masked = np.tile([False, False, True, True], 16)
    weight = np.tile(np.array([0, 0, 1, 0.25], dtype=np.float32), 16)
    confusions = Confusions(np.zeros(300, dtype=np.int64), np.arange(200, 210))
    wrong = 0
    for _ in range(20):
        edited, counted = corrupted_states(ids, masked, weight, 4, confusions, rng)
        assert (edited.ids[masked] == MASK_ID).all()
        assert (edited.own[masked] == 0).all()
        assert (counted[masked] == weight[masked]).all()
        assert (counted[::4] == 0).all()
        changed = (~masked) & ((edited.ids != ids) | (edited.own > 0))
        changed[::4] = False
        wrong += int(changed.sum())
        right = ~masked & ~changed
        right[::4] = False
        assert (counted[changed] == 1).all()
        assert (counted[right] == np.float32(RIGHT_WEIGHT)).all()
    assert wrong > 10


def test_order_sequences_take_their_share_on_their_own_grid() -> None:
    windows = Windows([np.arange(100, 9000, dtype=np.uint16) % 500 + 100], 64, seed=0)
    texts = (np.arange(128, dtype=np.uint16) % 96).reshape(2, 64)
    steps = np.concatenate([np.zeros(16), np.arange(1, 49)]).astype(np.uint16)
    orders = Orders(texts, np.stack([steps, steps]), np.array([8, 1], dtype=np.uint16))
    settings = Settings(length=64, infill_rate=0.0, orders_share=0.5, orders_later=0.25, causal_share=1.0, draws=3)
    data = NoisySequences(windows, settings, None, np.arange(10), 3, torch.device("cpu"), None, orders)
    drawn = [data.sequence(i) for i in range(200)]
    ours = [sequence for sequence in drawn if int(sequence.ids[0]) < 100]
    assert 70 < len(ours) < 130
    blocks: dict[int, set[int]] = {0: set(), 1: set()}
    for sequence in ours:
        blocks[0 if int(sequence.ids[0]) == 0 else 1].add(sequence.block)
        assert sequence.causal_weight == 0
        assert sequence.noisy.ids.shape == sequence.noisy.weight.shape == (3, 64)
        assert set(sequence.noisy.weight.flatten().tolist()) <= {0.0, 0.25, 1.0}
        assert ((sequence.noisy.weight == 0) | (sequence.noisy.ids == 3)).all()
        assert (sequence.noisy.weight.sum(1) > 0).all()
    assert blocks[0] == {8}
    assert len(blocks[1]) == 4
    assert torch.equal(data.sequence(7).noisy.ids, drawn[7].noisy.ids)
    with pytest.raises(AssertionError, match="length"):
        NoisySequences(windows, Settings(length=32, infill_rate=0.0), None, np.arange(10), 3, torch.device("cpu"), None, orders)
