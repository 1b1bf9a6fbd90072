"""python -m recipe onpolicy: trains for fewer steps on own rollouts, while a verifier holds the quality; resumable, logs JSON lines.

On-policy step minimisation, Seed Diffusion (arXiv 2508.02193), section 3.3: minimise E[|tau| - V(tau[0])] through the surrogate of
`recipe.orders.surrogate` and the log-derivative trick, progressively. The weight of the cost rises while the verifier's score stays
at its start, and falls while the score is lower.

A rollout's decisions depend on the model's confidence alone, so a bad rollout can only teach it to be less sure of everything. The
draft loss works against that: at the states that rollouts visit, masked positions learn the ids that the start's causal head writes
there. The verifier asks for the same ids. With `--draft-weight 0` the policy gradient is alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recipe.data.tokenizer import text_tokenizer
from recipe.device import best_device
from recipe.model import attention
from recipe.model.llama import Llama
from recipe.model.lora import adapter_state
from recipe.model.start import load_trained
from recipe.orders.policy_gradient import advantages, decisions, divergence, drafts_loss, log_probability
from recipe.orders.prompts import code_prompts
from recipe.orders.rollout import Rollouts, roll_out, rows_logits, soft_threshold
from recipe.orders.surrogate import inverse_distance, points
from recipe.orders.verifier import Verifier
from recipe.paths import cache_dir
from recipe.train import run_record
from recipe.train.adapter_run import AdapterRun


@dataclass(frozen=True)
class OnPolicySettings:
    """The settings of a run."""

    updates: int = 200
    minutes: float = 60.0  # wall clock after which the run ends, whichever comes first
    prompts: int = 2  # of one update
    group: int = 8  # rollouts of each prompt
    length: int = 32  # tokens of a rollout
    block: int = 8
    tau: float = 0.9  # confidence at which a position is decided half of the time
    softness: float = 0.5  # log-odds of the confidence are divided by this: the smaller, the more like a threshold
    temperature: float = 0.0  # of the ids; 0 is greedy, and only the order is explored
    learning_rate: float = 1e-4
    warmup: int = 5  # updates
    calibration: int = 4  # updates before the first step, which measure where verifier and surrogate start
    cost_rise: float = 0.02  # per update
    cost_most: float = 1.0  # largest weight of the cost's advantage, where the score's has 1; 0 is the control without cost
    cost_fall: float = 0.5  # factor per update while the verifier's score is too low
    slack: float = 0.01  # how far the score may be below its start
    memory: float = 0.9  # of the running score
    anchor: float = 1.0  # weight of KL(start || model) of the causal head on rolled-out text
    draft_weight: float = 0.5  # weight of the draft loss: the start's causal head as target of masked positions that rollouts visited
    clip: float = 1.0
    seed: int = 0
    checkpoint_minutes: float = 10.0


@dataclass(frozen=True)
class Prompt:
    """The beginning of rollouts and their verifier."""

    ids: list[int]
    verifier: Verifier


class Progress:
    """The weight of the step cost and the running scores that decide it. All of it is in `values`, so that a run resumes."""

    def __init__(self, settings: OnPolicySettings) -> None:
        self.settings = settings
        self.values = {"seen": 0.0, "cost": 0.0, "score": 0.0, "start_score": 0.0, "start_surrogate": 0.0}

    @property
    def calibrating(self) -> bool:
        return self.values["seen"] < self.settings.calibration

    def observe(self, score: float, surrogate: float) -> None:
        """Mean verifier score and surrogate of an update's rollouts."""
        v, s = self.values, self.settings
        if self.calibrating:
            v["start_score"] += score / s.calibration
            v["start_surrogate"] += surrogate / s.calibration
            v["score"] = v["start_score"]
        else:
            v["score"] = s.memory * v["score"] + (1 - s.memory) * score
            low = v["score"] < v["start_score"] - s.slack
            v["cost"] = v["cost"] * s.cost_fall if low else min(s.cost_most, v["cost"] + s.cost_rise)
        v["seen"] += 1

    def advantages(self, scores: Tensor, surrogates: Tensor) -> Tensor:
        """[G]: the advantage by score less the weighted one by cost, each normalised by itself (GDPO, arXiv 2601.05242).

        Normalised together, the one that varies more in a group would drown the other. The cost is in units of the start's surrogate.
        """
        return advantages(scores) - self.values["cost"] * advantages(surrogates / max(1e-9, self.values["start_surrogate"]))


def frozen_copy(model: Llama) -> Llama:
    """The model as it is now; the weights that no training changes are shared."""
    shared: dict[int, Any] = {id(p): p for p in model.parameters() if not p.requires_grad}
    copy = deepcopy(model, shared)
    return copy.requires_grad_(False)


class OnPolicyRun(AdapterRun):
    """Policy-gradient training over a fixed set of prompts, drawn by the seed."""

    def __init__(self, model: Llama, prompts: Sequence[Prompt], settings: OnPolicySettings, folder: Path) -> None:
        assert all(len(prompt.ids) % settings.block == 0 for prompt in prompts), "a prompt is not made of whole blocks"
        super().__init__(model, folder)
        self.prompts, self.settings = prompts, settings
        self.reference = frozen_copy(model)
        self.started_from = {name: tensor.clone() for name, tensor in adapter_state(model).items()}
        self.progress = Progress(settings)
        self.update = 0  # calibration included, unlike `step`

    def state(self) -> dict[str, Any]:
        return super().state() | {"started_from": self.started_from, "progress": self.progress.values, "update": self.update}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.started_from, self.progress.values, self.update = state["started_from"], dict(state["progress"]), state["update"]
        own = dict(self.reference.named_parameters())
        for name, tensor in self.started_from.items():
            own[name].data.copy_(tensor)

    @torch.no_grad()
    def _causal(self, model: Llama, texts: Tensor) -> tuple[Tensor, attention.Layers]:
        """Causal logits [G, C, V] of the rolled-out part of texts [G, P + C], and all keys and values [G, KV, P + C, D]."""
        kept: attention.Layers = []
        position = torch.arange(texts.shape[1], device=texts.device)
        hidden = model.hidden(texts, position, attention.causal_keeping(kept))
        return rows_logits(model, hidden[:, -self.settings.length - 1 : -1]), kept

    def _judge(self, prompt: Prompt, rollouts: Rollouts, causal: Tensor) -> tuple[Tensor, Tensor]:
        """Verifier scores [G] and surrogates [G]. causal: logits [G, C, V] of the start model's causal head."""
        ids, steps = rollouts.ids.cpu().numpy(), rollouts.global_steps().cpu().numpy()
        choices = causal.argmax(-1).tolist()
        scores = [prompt.verifier(prompt.ids, one.tolist(), choice) for one, choice in zip(ids, choices, strict=True)]
        mask = self.model.mask_id
        assert mask is not None
        costs = [inverse_distance(points(one, at, mask)) for one, at in zip(ids, steps, strict=True)]
        return torch.tensor(scores), torch.tensor(costs)

    def _anchor(self, text: Tensor, reference: Tensor) -> Tensor:
        """KL of one text [P + C] against the start model's logits [C, V]."""
        position = torch.arange(len(text), device=text.device)
        hidden = self.model.hidden(text[None], position, attention.causal)[0, -self.settings.length - 1 : -1]
        return divergence(reference, rows_logits(self.model, hidden))

    def _prompt_gradient(self, prompt: Prompt, seed: list[int]) -> tuple[tuple[Tensor, ...], dict[str, float]]:
        """Rolls out one prompt's group; its gradient (empty while calibrating) and its numbers."""
        s = self.settings
        generator = torch.Generator().manual_seed(int(np.random.default_rng(seed).integers(2**62)))
        begun = torch.tensor(prompt.ids, device=self.device).expand(s.group, -1)
        with self.autocast():
            policy = soft_threshold(s.tau, s.softness, generator)
            rollouts = roll_out(self.model, begun, s.length, s.block, policy, s.temperature, generator)
            texts = torch.cat([begun, rollouts.ids], dim=1)
            expected, _ = self._causal(self.reference, texts)
            scores, costs = self._judge(prompt, rollouts, expected)
            record = {
                "steps_per_token": float(rollouts.steps.float().mean()) / s.length,
                "verifier": float(scores.mean()),
                "surrogate": float(costs.mean()),
            }
            if self.progress.calibrating:
                return (), record
            weight = self.progress.advantages(scores, costs).tolist()
            _, kept = self._causal(self.model, texts)
            anchor = self._anchor(texts[0], expected[0])
        gradient = list(torch.autograd.grad(s.anchor * anchor, self.trained, materialize_grads=True, allow_unused=True))
        drafts = []
        for g, better in enumerate(weight):
            with self.autocast():
                one = [(k[g : g + 1], v[g : g + 1]) for k, v in kept]
                ids = rollouts.ids[g]
                made = decisions(self.model, one, ids, rollouts.decided[g], s.block)
                log_pi = log_probability(made, ids, rollouts.forced[g], s.tau, s.softness, s.temperature)
                draft = drafts_loss(expected[g][made.column], made.logits, s.temperature)
            loss = s.draft_weight / s.group * draft - better / (s.group * s.length * s.block) * log_pi
            for total, part in zip(gradient, torch.autograd.grad(loss, self.trained), strict=True):
                total += part
            drafts.append(float(draft.detach()))
        return tuple(gradient), record | {"kl": float(anchor.detach()), "draft_loss": float(np.mean(drafts))}

    def train_update(self) -> dict[str, float]:
        """Rollouts of some prompts, then one optimizer step, unless the start is still being measured."""
        s = self.settings
        rng = np.random.default_rng([s.seed, self.update])
        chosen = rng.choice(len(self.prompts), size=s.prompts, replace=len(self.prompts) < s.prompts)
        results = [self._prompt_gradient(self.prompts[index], [s.seed, self.update, n]) for n, index in enumerate(chosen)]
        record = {name: float(np.mean([numbers[name] for _, numbers in results])) for name in results[0][1]}
        if not self.progress.calibrating:
            rate = s.learning_rate * min(1.0, (self.step + 1) / s.warmup)
            record |= {"cost_weight": self.progress.values["cost"], "lr": rate}
            record["grad_norm"] = self.descend([gradient for gradient, _ in results], rate, s.clip)
        self.progress.observe(record["verifier"], record["surrogate"])
        self.update += 1
        return record

    def train(self) -> None:
        """Updates until their number or the time is reached."""
        s = self.settings
        while self.update < s.updates + s.calibration and self.elapsed < 60 * s.minutes:
            record = self.train_update()
            self.log({"update": self.update} | record)
            print(
                f"update {self.update} steps/token {record['steps_per_token']:.3f} verifier {record['verifier']:.3f} "
                f"surrogate {record['surrogate']:.4f} cost weight {self.progress.values['cost']:.2f}",
                flush=True,
            )
            self.save_when_due(s.checkpoint_minutes)
        self.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in asdict(OnPolicySettings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument("--run", default="onpolicy", help="name of the folder under runs/ in the cache")
    parser.add_argument("--init", type=Path, required=True, help="adapter to start from; the base itself drafts nothing")
    parser.add_argument("--init-model", type=Path, help="the converted or exported model that it was trained on; the base unless given")
    parser.add_argument("--pool", type=int, default=256, help="prompts to draw from")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--threads", type=int, default=2, help="CPU cores to use")
    arguments = vars(parser.parse_args())
    torch.set_num_threads(arguments["threads"])
    settings = OnPolicySettings(**{name: arguments[name] for name in asdict(OnPolicySettings())})
    model = load_trained(arguments["init"], arguments["init_model"]).to(best_device())
    shortest = -(-32 // settings.block) * settings.block
    found = code_prompts("train", text_tokenizer(), (shortest, 4 * shortest), arguments["pool"], settings.seed)
    run = OnPolicyRun(model, [Prompt(*one) for one in found], settings, cache_dir() / "runs" / arguments["run"])
    if arguments["resume"]:
        run.resume()
    inputs = {"init_model": arguments["init_model"], "init": arguments["init"]}
    options = {"threads": arguments["threads"], "pool": arguments["pool"]}
    run_record.write(run.folder, run_record.describe("onpolicy", settings, inputs, options))
    run.train()
