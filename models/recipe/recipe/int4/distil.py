"""python -m recipe distil-int4: trains a rounded export towards the predictions of its exact parent.

GPTQ rounds each matrix without regard to the matrices after it. Here the codes stay, and the scale of every group and the norms follow
the gradient of KL(parent || rounded) through the whole model, at causal and at masked positions. EfficientQAT (Chen et al. 2024, arXiv
2407.11062), section 3.3, trains step sizes alone in the same way.

The result is an ordinary export on the int4 grid of src/convert/write/quantize.ts, so converting it loses nothing.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipe.data.token_files import load_split
from recipe.data.tokenizer import MASK_ID, text_tokenizer
from recipe.data.windows import Windows
from recipe.device import best_device
from recipe.int4.quantize import codes_under, rounded
from recipe.model.converted import GROUP
from recipe.model.exported import load_export, write_model
from recipe.model.llama import Llama
from recipe.model.lora import halve_base
from recipe.paths import cache_dir
from recipe.progress import progress
from recipe.train import run_record
from recipe.train.adapter_run import AdapterRun, half_precision
from recipe.train.objective import clean_half, noisy_half
from recipe.train.sequences import NoisySequence, NoisySequences
from recipe.train.settings import Settings


@dataclass(frozen=True)
class DistilSettings:
    """The settings of a run."""

    steps: int = 150
    batch: int = 4  # sequences of 256 tokens
    learning_rate: float = 1e-3
    warmup: int = 10  # steps
    check_steps: int = 25  # steps between two measurements on held-out text
    seed: int = 21
    clip: float = 1.0
    checkpoint_minutes: float = 10.0


class Gained(torch.autograd.Function):
    """y = W x, where each group of 32 weights in a row of W has a gain."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, weight: Tensor) -> Tensor:
        """x [..., K], gain [N, K/32], weight [N, K] with the gains in it -> [..., N]."""
        ctx.save_for_backward(x.to(weight.dtype), gain, weight)
        ctx.input_dtype = x.dtype
        return F.linear(x.to(weight.dtype), weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, weight = ctx.saved_tensors
        grad = grads[0].flatten(0, -2).to(weight.dtype)
        grad_weight = grad.T @ x.flatten(0, -2)
        # In the precision of the products above: in 32 bits this sum alone would take as long as they do.
        grad_gain = (grad_weight * weight).view(*gain.shape, GROUP).sum(-1, dtype=gain.dtype) / gain
        grad_x = (grad @ weight).view_as(x).to(ctx.input_dtype) if ctx.needs_input_grad[0] else None
        return grad_x, grad_gain, None


class Grid:
    """A matrix [N, K] of fixed codes and trained scales."""

    def __init__(self, weight: Tensor) -> None:
        """weight: already on the int4 grid."""
        on_grid, self.scales = rounded(weight)  # scales [N, K/32]
        self.codes = codes_under(on_grid, self.scales).to(torch.int8)  # [N, K/32, 32]
        self.gain = nn.Parameter(torch.ones_like(self.scales))

    @torch.no_grad()
    def weight(self) -> Tensor:
        """[N, K] under the present gains, with scales in 16 bits, as they are stored."""
        scales = (self.scales * self.gain).half().float()
        return (self.codes * scales[..., None]).flatten(1)


class GridLinear(nn.Linear):
    """A linear layer whose scales are trained. The converter will read its `weight`."""

    def __init__(self, linear: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.grid, self.dtype = Grid(linear.weight), dtype
        self.gain = self.grid.gain
        self.refresh()

    def refresh(self) -> None:
        """The weight follows the gains."""
        self.weight = nn.Parameter(self.grid.weight(), requires_grad=False)
        self.used = self.weight.detach().to(self.dtype)

    def forward(self, input: Tensor) -> Tensor:
        """[..., K] -> [..., N]."""
        out: Tensor = Gained.apply(input, self.gain, self.used)  # type: ignore[no-untyped-call]
        return out


class GridEmbedding(nn.Embedding):
    """The tied embedding. Its scales are trained through both of its uses."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__(embedding.num_embeddings, embedding.embedding_dim, device="meta")
        self.grid = Grid(embedding.weight)
        self.gain = self.grid.gain
        self.refresh()

    def refresh(self) -> None:
        """The weight follows the gains."""
        self.weight = nn.Parameter(self.grid.weight(), requires_grad=False)

    def forward(self, input: Tensor) -> Tensor:
        """Rows [..., d] of ids [...] as stored, with the gradient of their gains."""
        gain = self.gain[input]
        rows = self.weight[input].view(*gain.shape, GROUP) * (gain / gain.detach())[..., None]
        return rows.flatten(-2)


def put_on_grid(model: Llama, dtype: torch.dtype) -> list[GridLinear | GridEmbedding]:
    """Makes the scales of every matrix and the norms trainable, and freezes everything else."""
    replaced: list[GridLinear | GridEmbedding] = []
    model.requires_grad_(False)
    for module in progress(list(model.modules()), "reading scales"):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.RMSNorm):
                child.requires_grad_(True)
            elif isinstance(child, (nn.Linear, nn.Embedding)):
                replaced.append(GridLinear(child, dtype) if isinstance(child, nn.Linear) else GridEmbedding(child))
                setattr(module, name, replaced[-1])
    return replaced


def predictions(model: Llama, candidates: Tensor, sequence: NoisySequence) -> tuple[Tensor, Tensor]:
    """Log probabilities of the clean rows [L - 1, C] and of the masked positions [M, C] of a sequence with one noisy version.

    candidates [C]: the ids that compete.
    """
    ids, noisy = sequence.ids, sequence.noisy
    clean, kept = clean_half(model, ids, through_clean=True)
    hidden = noisy_half(model, noisy.ids, kept, sequence.block)
    rows = model.embed_tokens(candidates)
    places = noisy.weight[0].nonzero()[:, 0] - 1
    causal, masked = ((states @ rows.T).float().log_softmax(-1) for states in (clean[:-1], hidden[0, places]))
    return causal, masked


class DistilRun(AdapterRun):
    """Gradient descent of a rounded model towards its parent."""

    def __init__(
        self,
        model: Llama,
        parent: Llama,
        sequence: Callable[[int], NoisySequence],
        common: Tensor,
        settings: DistilSettings,
        folder: Path,
        workers: int = 1,
        held_out: Sequence[NoisySequence] = (),
    ) -> None:
        """`common` [C]: sorted ids that compete in the softmax, beside a sequence's own. `held_out`: the best step on them is kept."""
        assert model.mask_id is not None
        half = half_precision(model.embed_tokens.weight.device)
        self.layers = put_on_grid(model, torch.bfloat16 if half else torch.float32)
        super().__init__(model, folder, workers)
        self.parent, self.sequence, self.settings = parent.requires_grad_(False), sequence, settings
        if half:
            halve_base(parent)
        self.common = common[common != model.mask_id]
        self.held_out = held_out
        self.best = math.inf
        """Least divergence on held-out text so far, and the trained tensors that had it."""
        self.kept: list[Tensor] = []

    def sequence_gradient(self, index: int) -> tuple[tuple[Tensor, ...], dict[str, float]]:
        """Gradient of the divergence on the index-th sequence, and its numbers for the log."""
        causal, masked = self.divergences(self.sequence(index))
        gradient = torch.autograd.grad(causal + masked, self.trained)
        return gradient, {"causal_kl": float(causal.detach()), "masked_kl": float(masked.detach())}

    def divergences(self, sequence: NoisySequence) -> list[Tensor]:
        """KL(parent || model) in nats, at causal and at masked positions."""
        candidates = torch.cat([self.common, sequence.ids]).unique()  # type: ignore[no-untyped-call]
        with self.autocast():
            with torch.no_grad():
                expected = predictions(self.parent, candidates, sequence)
            got = predictions(self.model, candidates, sequence)
        return [F.kl_div(g, e, reduction="batchmean", log_target=True) for g, e in zip(got, expected, strict=True)]

    @torch.no_grad()
    def check(self) -> None:
        """Measures the divergence on held-out text, causal and masked together, and keeps the tensors if it is the least so far."""
        found = [self.divergences(sequence) for sequence in self.held_out]
        causal, masked = (sum(float(pair[kind]) for pair in found) / len(found) for kind in (0, 1))
        self.log({"held_out": {"causal_kl": round(causal, 6), "masked_kl": round(masked, 6)}})
        print(f"step {self.step} held out: causal KL {causal:.4f} masked KL {masked:.4f}", flush=True)
        if causal + masked < self.best:
            self.best, self.kept = causal + masked, [parameter.detach().clone() for parameter in self.trained]

    @torch.no_grad()
    def take_best(self) -> None:
        """The trained tensors become those of the best check."""
        for parameter, best in zip(self.trained, self.kept, strict=True):
            parameter.copy_(best)
        self.refresh()

    def train_step(self) -> dict[str, float]:
        """One optimizer step; returns the numbers for the log."""
        s = self.settings
        rate = s.learning_rate * min(1.0, (self.step + 1) / s.warmup) * (1 - self.step / s.steps)
        indices = range(self.step * s.batch, (self.step + 1) * s.batch)
        results = self.each(self.sequence_gradient, indices)
        norm = self.descend([gradient for gradient, _ in results], rate, s.clip)
        self.refresh()
        return {name: sum(r[name] for _, r in results) / s.batch for name in results[0][1]} | {"grad_norm": norm, "lr": rate}

    def refresh(self) -> None:
        """Weights follow the gains."""
        for layer in self.layers:
            layer.refresh()

    def state(self) -> dict[str, Any]:
        return super().state() | {"best": self.best, "kept": self.kept}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.best, self.kept = state.get("best", math.inf), state.get("kept", [])
        self.refresh()

    def train(self) -> None:
        """Steps until the last one; with held-out text the model is then the best of all checks, the start among them."""
        if self.held_out and self.step == 0:
            self.check()
        while self.step < self.settings.steps:
            record = self.train_step()
            self.log(record)
            print(f"step {self.step} causal KL {record['causal_kl']:.4f} masked KL {record['masked_kl']:.4f}", flush=True)
            if self.held_out and (self.step % self.settings.check_steps == 0 or self.step == self.settings.steps):
                self.check()
            self.save_when_due(self.settings.checkpoint_minutes)
        if self.held_out:
            self.take_best()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    exports = cache_dir() / "export"
    parser.add_argument("--parent", type=Path, required=True, help="the export before rounding")
    parser.add_argument(
        "--model", type=Path, default=exports / "seedling-135m", help="the export that python -m recipe gptq has rounded; changed in place"
    )
    parser.add_argument("--run", default="int4", help="name of the folder of the log, under runs/ in the cache")
    for name in ("steps", "batch", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(DistilSettings, name))
    parser.add_argument("--learning-rate", type=float, default=DistilSettings.learning_rate)
    parser.add_argument("--resume", action="store_true", help="continue from the run's checkpoint, with the same flags and exports")
    parser.add_argument("--held-out", type=int, default=8, help="held-out texts by which the best step is kept; 0: the last step is")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = DistilSettings(arguments.steps, arguments.batch, arguments.learning_rate, seed=arguments.seed)
    device = best_device()
    data = Settings(draws=1, causal_share=1.0, seed=settings.seed)
    windows = Windows(load_split("train").values(), data.length, data.seed)
    common = windows.most_frequent(data.head_ids)
    sequences = NoisySequences(windows, data, text_tokenizer(), common.numpy(), MASK_ID, device)
    other = Windows(load_split("heldout").values(), data.length, data.seed)
    unseen = NoisySequences(other, data, text_tokenizer(), common.numpy(), MASK_ID, device)
    held_out = [unseen.sequence(index) for index in range(arguments.held_out)]
    model, parent = load_export(arguments.model).to(device), load_export(arguments.parent).to(device)
    workers = 1 if device.type == "cuda" else arguments.threads
    folder = cache_dir() / "runs" / arguments.run
    run = DistilRun(model, parent, sequences.sequence, common.to(device), settings, folder, workers, held_out)
    if arguments.resume:
        run.resume()
    inputs = {"model": arguments.model, "parent": arguments.parent}
    options = {"threads": arguments.threads, "held_out": arguments.held_out}
    run_record.write(run.folder, run_record.describe("distil-int4", settings, inputs, options))
    run.train()
    write_model(model, arguments.model)
