from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from recipe.data.windows import Windows
from recipe.evaluate.few_steps import Beginning, few_steps_scores
from recipe.model.lora import add_adapters
from recipe.orders.orders import Orders, Selection, kept_orders
from recipe.orders.trajectories import Trajectory
from recipe.orders.verifier import agreement_alone
from recipe.train.settings import Settings
from recipe.train.train import Run
from tests.cycle import BLOCK, LENGTH, ROUND, circle, cycle_model
from tests.train.test_train import code_run

SETTINGS = Settings(
    tokens=LENGTH * 4 * 40, minutes=1e9, length=LENGTH, warmup=2, learning_rate=2e-2, infill_rate=0.0, orders_share=1.0, eval_minutes=9.0
)
ORDER = [1, 1, 2, 1, 2, 1, 2, 2]
"""Two forwards of a block."""


def cycle_orders() -> Orders:
    """The circle, four tokens a forward; a slower trajectory of each prompt is in the pool and is not kept."""
    pool = []
    for start in range(ROUND):
        prompt, ids = tuple(circle(start, BLOCK)), tuple(circle(start + BLOCK, LENGTH - BLOCK))
        quick = [step + 2 * block for block in range(LENGTH // BLOCK - 1) for step in ORDER]
        pool += [Trajectory(prompt, ids, tuple(quick), BLOCK, -1.0), Trajectory(prompt, ids, tuple(range(1, len(ids) + 1)), BLOCK, -1.0)]
    return kept_orders(pool, Selection(1, 0.1, 1.0), LENGTH)


def test_a_toy_run_on_kept_orders_lowers_its_loss_and_decodes_better_in_few_steps(tmp_path: Path) -> None:
    model = add_adapters(cycle_model(20), rank=16)
    beginnings = [Beginning(circle(start, BLOCK), agreement_alone) for start in range(ROUND)]
    before = few_steps_scores(model, beginnings, LENGTH, (BLOCK,))
    orders = cycle_orders()
    assert set(orders.steps.flatten().tolist()) == set(range(7))
    windows = Windows([np.array(circle(0, 4000), dtype=np.uint16)], LENGTH, 0)
    Run(model, windows, SETTINGS, tmp_path, None, 1, None, orders).train()
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    first, last = (float(np.mean([line["masked_ce"] for line in part])) for part in (log[:8], log[-8:]))
    assert last < 0.75 * first
    after = few_steps_scores(model, beginnings, LENGTH, (BLOCK,))
    assert before["block8_steps8_match"] < 0.7
    assert after["block8_steps8_match"] > before["block8_steps8_match"] + 0.15


def test_a_run_on_corrupted_orders_learns_to_keep_what_is_right(tmp_path: Path) -> None:
    settings = replace(SETTINGS, tokens=64 * 4 * 30, length=64, learning_rate=2e-2, edit_rate=1.0, stage2_share=1.0)
    run = code_run(tmp_path, settings)
    texts = np.stack([run.data.windows.window(index) for index in range(20)]).astype(np.uint16)
    steps = np.tile([0] * 8 + [1 + position // 2 for position in range(56)], (20, 1)).astype(np.uint16)
    run.data.orders = Orders(texts, steps, np.full(20, 8, dtype=np.uint16))
    sequence = run.data.sequence(3, second_stage=True)
    assert sequence.noisy.own is not None
    assert not torch.equal(sequence.noisy.ids.where(sequence.noisy.weight >= 1, sequence.ids), sequence.ids)
    run.train()
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    for name in ("masked_ce", "loss"):
        assert np.mean([line[name] for line in log[-6:]]) < 0.85 * np.mean([line[name] for line in log[:6]])
    assert np.mean([line["kept"] for line in log[-6:]]) > np.mean([line["kept"] for line in log[:6]])
