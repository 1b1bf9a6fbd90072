"""python -m recipe.distil_int4: trains a rounded export so that it predicts what its exact parent predicts.

recipe.gptq rounds matrix by matrix and knows of no matrix behind it. Here the scale of every group, the norms, and a low-rank change
of the weights before they are rounded follow the gradient of KL(parent || rounded) through the whole model, at causal and at masked
positions. Step sizes trained end to end: EfficientQAT (Chen et al. 2024, arXiv 2407.11062), section 3.3; a low-rank term inside the
rounding: LR-QAT (Bondarenko et al. 2024, arXiv 2406.06385).

The result is an ordinary export on the int4 grid of src/convert/quantize.ts: converting it loses nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipe.adapter_run import AdapterRun, half_precision
from recipe.converted import GROUP
from recipe.data import Windows
from recipe.export import write_model
from recipe.gptq import load_export
from recipe.llama import Llama
from recipe.objective import Head, clean_half, noisy_half
from recipe.paths import cache_dir
from recipe.quantize import codes_under, rounded, rounded_with
from recipe.sequences import NoisySequence, NoisySequences
from recipe.settings import Settings
from recipe.token_files import load_split
from recipe.tokenizer import MASK_ID, text_tokenizer

RANK, SCALE = 32, 0.3
"""Of the low-rank change. Its numbers and the gains share a learning rate: at 1e-3 a hundred steps turn a few codes in a hundred."""
INSIDE = 0.4
"""How far from its code a latent weight may lie, in units of the scale. Where recipe.gptq chose another code than the nearest, the parent's
weight is far off: at 0.499 a few steps turn all of these back, and with them what they make up for."""


@dataclass(frozen=True)
class DistilSettings:
    """What decides a run."""

    steps: int = 150
    batch: int = 4  # sequences of 256 tokens
    learning_rate: float = 1e-3
    warmup: int = 10  # steps
    seed: int = 21
    clip: float = 1.0


class OnGrid(torch.autograd.Function):
    """y = W x, W on the int4 grid. The gradient of the latent weight passes the rounding as if it were not there, that of a scale
    takes the codes as given."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
        """x [..., K], gain [N, K/32], a [r, K], b [N, r], weight [N, K] with all of these in it -> [..., N]."""
        ctx.save_for_backward(x.to(weight.dtype), gain, a, b, weight)
        ctx.input_dtype = x.dtype
        return F.linear(x.to(weight.dtype), weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, a, b, weight = ctx.saved_tensors
        grad = grads[0].flatten(0, -2).to(weight.dtype)
        grad_weight = grad.T @ x.flatten(0, -2)
        grad_gain = (grad_weight.float() * weight).view(*gain.shape, GROUP).sum(-1) / gain
        grad_a = SCALE * (b.to(weight.dtype).T @ grad_weight).float()
        grad_b = SCALE * (grad_weight @ a.to(weight.dtype).T).float()
        grad_x = (grad @ weight).view_as(x).to(ctx.input_dtype) if ctx.needs_input_grad[0] else None
        return grad_x, grad_gain, grad_a, grad_b, None


class GridLinear(nn.Linear):
    """A matrix on the int4 grid: W = round(latent + SCALE B A) under scales with a gain each. `weight` is what the converter will read.

    The latent weight is the parent's, or the nearest that rounds to the code that recipe.gptq chose: a small change then turns
    those codes that are nearly even, which is where the training has something to choose.
    """

    def __init__(self, linear: nn.Linear, parent: Tensor, dtype: torch.dtype) -> None:
        """linear: its weight [N, K] is on the grid; parent [N, K]: what it was rounded from."""
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        on_grid, scales = rounded(linear.weight)
        code = codes_under(on_grid, scales)
        level = (parent.view(code.shape) / torch.where(scales == 0, 1.0, scales)[..., None]).clamp(code - INSIDE, code + INSIDE)
        self.weight = nn.Parameter(on_grid, requires_grad=False)
        self.scales = scales  # [N, K/32]
        self.latent = (level * scales[..., None]).view_as(parent)  # [N, K]
        self.gain = nn.Parameter(torch.ones_like(scales))
        self.lora_a = nn.Parameter(torch.randn(RANK, linear.in_features) * linear.in_features**-0.5)
        self.lora_b = nn.Parameter(torch.zeros(linear.out_features, RANK))
        self.dtype = dtype
        self.refresh()

    @torch.no_grad()
    def refresh(self) -> None:
        """The weight under the parameters as they are, scales in 16 bits as they will be stored."""
        scales = (self.scales * self.gain).half().float()
        self.weight.copy_(rounded_with(torch.addmm(self.latent, self.lora_b, self.lora_a, alpha=SCALE), scales))
        self.used = self.weight.detach().to(self.dtype)

    def forward(self, input: Tensor) -> Tensor:
        """[..., K] -> [..., N]."""
        out: Tensor = OnGrid.apply(input, self.gain, self.lora_a, self.lora_b, self.used)  # type: ignore[no-untyped-call]
        return out


def put_on_grid(model: Llama, parent: Llama, dtype: torch.dtype) -> list[GridLinear]:
    """Puts a GridLinear in the place of every linear layer, and makes its parameters and the norms trainable."""
    exact = dict(parent.named_modules())
    replaced = []
    model.requires_grad_(False)
    for path, module in list(model.named_modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.RMSNorm):
                child.requires_grad_(True)
            elif isinstance(child, nn.Linear):
                original = exact[f"{path}.{name}"].weight
                assert isinstance(original, Tensor)
                replaced.append(GridLinear(child, original.detach().float(), dtype))
                setattr(module, name, replaced[-1])
    return replaced


def predictions(model: Llama, head: Head, sequence: NoisySequence) -> tuple[Tensor, Tensor]:
    """Log probabilities of the clean rows [L - 1, C] and of the masked positions [M, C] of a sequence with one noisy version."""
    ids, noisy = sequence.ids, sequence.noisy
    clean, kept = clean_half(model, ids, through_clean=True)
    hidden = noisy_half(model, noisy.ids, kept, sequence.block)
    weight, _, _ = head.candidates(ids)
    rows = noisy.weight[0].nonzero()[:, 0] - 1
    both = ((states @ weight.T).float().log_softmax(-1) for states in (clean[:-1], hidden[0, rows]))
    causal, masked = both
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
    ) -> None:
        """`common` [C]: sorted ids that compete in the softmax, beside a sequence's own."""
        assert model.mask_id is not None
        half = half_precision(model.embed_tokens.weight.device)
        self.layers = put_on_grid(model, parent, torch.bfloat16 if half else torch.float32)
        super().__init__(model, folder)
        self.parent, self.sequence, self.settings = parent.requires_grad_(False), sequence, settings
        if half:
            for module in parent.modules():
                if isinstance(module, nn.Linear):
                    module.to(torch.bfloat16)
        self.heads = {m: Head(m.embed_tokens.weight.detach(), common, model.mask_id) for m in (model, parent)}
        self.pool = ThreadPoolExecutor(workers) if workers > 1 else None

    def sequence_gradient(self, index: int) -> tuple[tuple[Tensor, ...], dict[str, float]]:
        """Gradient of the divergence on the index-th sequence, and its numbers for the log."""
        if self.pool:
            torch.set_num_threads(1)  # a per-thread setting
        sequence = self.sequence(index)
        with self.autocast():
            with torch.no_grad():
                expected = predictions(self.parent, self.heads[self.parent], sequence)
            got = predictions(self.model, self.heads[self.model], sequence)
        causal, masked = (F.kl_div(g, e, reduction="batchmean", log_target=True) for g, e in zip(got, expected, strict=True))
        gradient = torch.autograd.grad(causal + masked, self.trained)
        return gradient, {"causal_kl": float(causal.detach()), "masked_kl": float(masked.detach())}

    def train_step(self) -> dict[str, float]:
        """One optimizer step; returns the numbers for the log."""
        s = self.settings
        rate = s.learning_rate * min(1.0, (self.step + 1) / s.warmup) * (1 - self.step / s.steps)
        indices = range(self.step * s.batch, (self.step + 1) * s.batch)
        results = list(self.pool.map(self.sequence_gradient, indices) if self.pool else map(self.sequence_gradient, indices))
        norm = self.descend([gradient for gradient, _ in results], rate, s.clip)
        self.refresh()
        return {name: sum(r[name] for _, r in results) / s.batch for name in results[0][1]} | {"grad_norm": norm, "lr": rate}

    def refresh(self) -> None:
        """Weights follow the gains."""
        for layer in self.layers:
            layer.refresh()

    def train(self) -> None:
        """To the last step."""
        while self.step < self.settings.steps:
            record = self.train_step()
            self.log(record)
            print(f"step {self.step} causal KL {record['causal_kl']:.4f} masked KL {record['masked_kl']:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    exports = cache_dir() / "export"
    parser.add_argument("--parent", type=Path, required=True, help="the export before rounding")
    parser.add_argument(
        "--model", type=Path, default=exports / "seedling-135m", help="the export that recipe.gptq has rounded; changed in place"
    )
    parser.add_argument("--run", default="int4", help="name of the folder of the log, under runs/ in the cache")
    for name in ("steps", "batch", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(DistilSettings, name))
    parser.add_argument("--learning-rate", type=float, default=DistilSettings.learning_rate)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = DistilSettings(arguments.steps, arguments.batch, arguments.learning_rate, seed=arguments.seed)
    data = Settings(draws=1, causal_share=1.0, seed=settings.seed)
    windows = Windows(load_split("train").values(), data.length, data.seed)
    common = windows.most_frequent(data.head_ids)
    sequences = NoisySequences(windows, data, text_tokenizer(), common.numpy(), MASK_ID, torch.device("cpu"))
    model, parent = load_export(arguments.model), load_export(arguments.parent)
    run = DistilRun(model, parent, sequences.sequence, common, settings, cache_dir() / "runs" / arguments.run, arguments.threads)
    run.train()
    write_model(model, arguments.model)


if __name__ == "__main__":
    main()
