from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recipe.evaluate.few_steps import Beginning, few_steps_scores
from recipe.model.llama import Llama
from recipe.model.lora import adapter_state, add_adapters
from recipe.orders.onpolicy import OnPolicyRun, OnPolicySettings, Progress, Prompt, frozen_copy
from recipe.orders.policy_gradient import advantages, drafts_loss
from recipe.orders.rollout import fixed, roll_out
from recipe.orders.verifier import agreement_alone
from tests.cycle import ROUND, circle, cycle_model

SETTINGS = OnPolicySettings(
    updates=20, minutes=9.0, group=6, length=16, learning_rate=3e-3, warmup=3, cost_rise=0.1, calibration=2, checkpoint_minutes=9.0
)
PROMPTS = [Prompt(circle(start, 8), agreement_alone) for start in range(ROUND)]


@pytest.fixture(scope="module")
def half_taught() -> Llama:
    return add_adapters(cycle_model(100), rank=8)


def scores_of(model: Llama) -> dict[str, float]:
    return few_steps_scores(model, [Beginning(prompt.ids, prompt.verifier) for prompt in PROMPTS], 16, (8,))


def means(folder: Path, name: str) -> tuple[float, float]:
    """Over the first and the last four updates of a run."""
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    first, last = (float(np.mean([line[name] for line in part])) for part in (log[:4], log[-4:]))
    return first, last


def test_steps_fall_at_equal_verifier_score(half_taught: Llama, tmp_path: Path) -> None:
    model = deepcopy(half_taught)
    before = scores_of(model)
    OnPolicyRun(model, PROMPTS, SETTINGS, tmp_path).train()
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [("grad_norm" in line) for line in log] == [False] * 2 + [True] * 20
    for name in ("steps_per_token", "surrogate"):
        first, last = means(tmp_path, name)
        assert last < 0.85 * first
    first, last = means(tmp_path, "verifier")
    assert last > first - 0.05
    after = scores_of(model)
    assert after["block8_tau90_steps_per_token"] < before["block8_tau90_steps_per_token"] / 1.2
    assert after["block8_tau90_verifier"] > before["block8_tau90_verifier"] - 0.05
    assert (tmp_path / "adapter.safetensors").exists()


def test_the_policy_gradient_alone_lowers_the_surrogate(half_taught: Llama, tmp_path: Path) -> None:
    settings = replace(SETTINGS, draft_weight=0.0, temperature=0.5, slack=0.1)
    OnPolicyRun(deepcopy(half_taught), PROMPTS, settings, tmp_path).train()
    first, last = means(tmp_path, "surrogate")
    assert last < 0.9 * first
    first, last = means(tmp_path, "verifier")
    assert last > first - 0.1


def test_a_resumed_run_equals_an_uninterrupted_one(half_taught: Llama, tmp_path: Path) -> None:
    settings = replace(SETTINGS, group=3, prompts=1, calibration=1, temperature=0.5)
    whole = OnPolicyRun(deepcopy(half_taught), PROMPTS, settings, tmp_path / "whole")
    records = [whole.train_update() for _ in range(4)]
    first = OnPolicyRun(deepcopy(half_taught), PROMPTS, settings, tmp_path / "parts")
    for _ in range(2):
        first.train_update()
    first.save()
    # A process that resumes loads another adapter first: the start is in the checkpoint.
    other = deepcopy(half_taught)
    for tensor in adapter_state(other).values():
        tensor.add_(1.0)
    second = OnPolicyRun(other, PROMPTS, settings, tmp_path / "parts")
    second.resume()
    assert [second.train_update() for _ in range(2)] == [pytest.approx(record, rel=1e-4, abs=1e-6) for record in records[2:]]
    assert second.progress.values == pytest.approx(whole.progress.values)
    for name, tensor in adapter_state(whole.model).items():
        torch.testing.assert_close(adapter_state(second.model)[name], tensor, atol=1e-6, rtol=1e-4)


def test_the_cost_rises_while_the_score_holds_and_falls_when_it_does_not() -> None:
    settings = OnPolicySettings(calibration=2, cost_rise=0.4, cost_most=1.0, cost_fall=0.5, slack=0.1, memory=0.5)
    progress = Progress(settings)
    assert progress.calibrating
    progress.observe(0.7, 0.3)
    progress.observe(0.9, 0.1)
    assert not progress.calibrating
    assert progress.values["start_score"] == pytest.approx(0.8)
    assert progress.values["start_surrogate"] == pytest.approx(0.2)
    assert progress.values["cost"] == 0
    weights = []
    for score in (0.8, 0.8, 0.8, 0.5, 0.5, 1.0):
        progress.observe(score, 0.2)
        weights.append(progress.values["cost"])
    # Running scores 0.8, 0.8, 0.8, 0.65, 0.575, 0.7875.
    assert weights == pytest.approx([0.4, 0.8, 1.0, 0.5, 0.25, 0.65])
    # The costs are 1 and 0.5 of the start's, so 0.25 from their mean, in units of 0.25 + 0.01; the score is normalised by itself.
    assert progress.advantages(torch.tensor([1.0, 1.0]), torch.tensor([0.2, 0.1])).tolist() == pytest.approx([-0.625, 0.625])
    both = progress.advantages(torch.tensor([0.0, 1.0]), torch.tensor([0.2, 0.1])).tolist()
    assert both == pytest.approx([-0.5 / 0.51 - 0.625, 0.5 / 0.51 + 0.625])


def test_the_control_has_no_cost() -> None:
    progress = Progress(OnPolicySettings(calibration=1, cost_most=0.0))
    scores = torch.tensor([0.2, 0.6])
    for _ in range(4):
        progress.observe(0.5, 0.2)
    assert progress.values["cost"] == 0
    assert progress.advantages(scores, torch.tensor([0.9, 0.1])).tolist() == advantages(scores).tolist()


def test_a_frozen_copy_shares_what_is_not_trained(half_taught: Llama) -> None:
    model = deepcopy(half_taught)
    copy = frozen_copy(model)
    assert copy.embed_tokens.weight is model.embed_tokens.weight
    assert not any(p.requires_grad for p in copy.parameters())
    for tensor in adapter_state(model).values():
        tensor.add_(1.0)
    own = dict(copy.named_parameters())
    assert all(torch.equal(own[name] + 1.0, tensor) for name, tensor in adapter_state(model).items())


def test_a_prompt_ends_where_a_block_begins(half_taught: Llama, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="whole blocks"):
        OnPolicyRun(half_taught, [Prompt([5, 6, 7], agreement_alone)], SETTINGS, tmp_path)


def test_the_draft_loss_is_hard_where_ids_are_greedy() -> None:
    causal, logits = torch.tensor([[0.75, 0.25]]).log(), torch.tensor([[0.5, 0.5]]).log()
    assert float(drafts_loss(causal, logits, 0.0)) == pytest.approx(np.log(2))
    squared = torch.tensor([0.9, 0.1])  # 0.75^2 and 0.25^2, to a sum of 1
    assert float(drafts_loss(causal, logits, 0.5)) == pytest.approx(float((squared * (squared / 0.5).log()).sum()), rel=1e-5)


def test_few_steps_scores_of_a_model_that_knows(half_taught: Llama) -> None:
    beginnings = [Beginning(circle(start, 8), agreement_alone) for start in (0, 5)]
    scores = few_steps_scores(half_taught, beginnings, 32, (1, 8, 32))
    assert scores["block1_steps_per_token"] == 1
    assert scores["block1_exact"] == scores["block1_match"] == scores["block1_verifier"] == 1
    assert scores["block8_steps4_steps_per_token"] == 4 / 32
    assert scores["block8_steps16_steps_per_token"] == scores["block32_steps16_steps_per_token"] == 0.5
    assert {name.rsplit("_", 1)[0] for name in scores if name.endswith("_match")} == {
        "block1",
        *(f"block8_{mode}" for mode in ("steps4", "steps8", "steps16", "tau70", "tau90")),
        *(f"block32_{mode}" for mode in ("steps4", "steps8", "steps16", "tau70", "tau90")),
    }
    prompts = torch.tensor([one.ids for one in beginnings])
    drafted = roll_out(half_taught, prompts, 32, 8, fixed(1)).ids
    expected = torch.tensor([circle(start + 8, 32) for start in (0, 5)])
    assert scores["block8_steps4_match"] == pytest.approx(float((drafted == expected).float().mean()), abs=1e-4)
    assert "block4_steps4_match" not in few_steps_scores(half_taught, beginnings, 32, (4,))
