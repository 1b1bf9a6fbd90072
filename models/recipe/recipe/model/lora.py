"""Low-rank adapters on the seven linear layers of each block, plus trained norms and mask embedding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recipe.model.llama import Llama

ADAPTED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
RANK = 64
SCALE = 2.0


class StraightThrough(torch.autograd.Function):
    """y = Q x with the gradient of W x + scale * B A x for the adapter: as if rounding to Q were not there."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rounded: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
        """x [..., in], rounded [out, in], a [rank, in], b [out, rank] -> [..., out]."""
        out = F.linear(x, rounded.to(x.dtype))
        # Under autocast the product is in 16 bits, and so are the products of the backward pass.
        ctx.save_for_backward(x.to(out.dtype), rounded.to(out.dtype), a, b)
        ctx.scale, ctx.input_dtype = scale, x.dtype
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, rounded, a, b = ctx.saved_tensors
        grad, rows = grads[0].flatten(0, -2), x.flatten(0, -2)
        grad_a = ctx.scale * (grad @ b.to(grad.dtype)).T @ rows
        grad_b = ctx.scale * grad.T @ (rows @ a.to(grad.dtype).T)
        grad_x = (grad @ rounded).view_as(x).to(ctx.input_dtype) if ctx.needs_input_grad[0] else None
        return grad_x, None, grad_a.to(a.dtype), grad_b.to(b.dtype), None


class LowRank(nn.Module):
    """A frozen W with scale * B A beside it. B starts at zero, so that training starts from the base model."""

    def __init__(self, base: nn.Linear, rank: int, scale: float) -> None:
        super().__init__()
        self.base = base
        self.scale = scale
        self.lora_a = nn.Parameter(torch.empty(rank, base.in_features))
        self.lora_b = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.normal_(self.lora_a, std=base.in_features**-0.5)


class LoraLinear(LowRank):
    """y = W x + scale * B A x."""

    rounded: Tensor | None = None
    """[out, in], when set: the merged weight as it will be stored, used instead of it (recipe.int4.quantize)."""

    def forward(self, x: Tensor) -> Tensor:
        if self.rounded is not None:
            out: Tensor = StraightThrough.apply(x, self.rounded, self.lora_a, self.lora_b, self.scale)  # type: ignore[no-untyped-call]
            return out
        # One fused multiply-add: scaling and adding apart cost a tenth of a training step on a CPU.
        low = F.linear(x, self.lora_a).flatten(0, -2)
        base = self.base(x)
        return torch.addmm(base.flatten(0, -2), low, self.lora_b.T, alpha=self.scale).view(base.shape)

    def merged(self) -> Tensor:
        """The single weight [out, in] that does the same."""
        return self.base.weight + self.scale * (self.lora_b @ self.lora_a)


def replace_adapted(model: nn.Module, adapter: Callable[[nn.Linear], nn.Module]) -> None:
    """Puts `adapter` of each of the seven matrices of every block in its place."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if name in ADAPTED and isinstance(child, nn.Linear):
                setattr(module, name, adapter(child))


def add_adapters(model: Llama, rank: int = RANK, scale: float = SCALE) -> Llama:
    """Freezes the model in place, then adds the adapters, the trainable norms and the mask embedding."""
    assert model.mask_id is not None
    model.requires_grad_(False)
    replace_adapted(model, lambda linear: LoraLinear(linear, rank, scale))
    for module in model.modules():
        if isinstance(module, nn.RMSNorm):
            module.requires_grad_(True)
    model.mask_embedding = nn.Parameter(model.embed_tokens.weight[model.mask_id].detach().clone())
    return model


def train_all(model: Llama) -> Llama:
    """Every weight of the model is trained, the tied embedding through both of its uses. There is no adapter."""
    model.requires_grad_(True)
    return model


def halve_base(model: nn.Module) -> None:
    """Keeps the frozen matrices in bfloat16, as autocast would cast them at every use; the forward then needs autocast."""
    for module in model.modules():
        if isinstance(module, nn.Linear):  # an adapter is none, its base is
            module.to(torch.bfloat16)


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """Every trained tensor by its parameter name."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


WHOLE = "embed_tokens.weight"
"""A file with this tensor holds all weights of a model, and no adapter."""


def save_adapter(model: nn.Module, path: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Writes the trained tensors as 16-bit safetensors: 39 MB for SmolLM2-135M at rank 64, 10 MB for gated ones at rank 16.

    A model that is trained as a whole is written in 32 bits: its steps are smaller than what 16 bits tell apart.
    """
    trained = adapter_state(model)
    if WHOLE in trained:
        dtype = torch.float32
    state = {name: tensor.to("cpu", dtype).contiguous() for name, tensor in trained.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    ranks = [len(tensor) for name, tensor in state.items() if name.endswith("lora_a")]
    scales = [module.scale for module in model.modules() if hasattr(module, "lora_a")]
    # A run may train scales and norms alone: then there is no rank.
    metadata = {"rank": str(ranks[0]), "scale": str(scales[0])} if ranks and scales else None
    save_file(state, path, metadata=metadata)


def adapter_shape(path: Path) -> tuple[int, float]:
    """(rank, scale) of an adapter's file."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    return int(metadata["rank"]), float(metadata["scale"])


def is_whole(path: Path) -> bool:
    """Whether a file of trained tensors holds all weights of a model."""
    with safe_open(path, framework="pt") as file:
        return WHOLE in file.keys()  # noqa: SIM118 (no mapping)


def load_adapter(model: nn.Module, path: Path) -> None:
    """Fills a model prepared by add_adapters or add_gated_adapters. Raises ValueError if the file's tensors are others."""
    state = load_file(path)
    own = adapter_state(model)
    if {name: tensor.shape for name, tensor in state.items()} != {name: tensor.shape for name, tensor in own.items()}:
        raise ValueError(f"the adapter {path} belongs to another model")
    for name, tensor in state.items():
        own[name].copy_(tensor)


def merged_state(model: Llama) -> dict[str, Tensor]:
    """Plain state dict of the model with adapters folded in and the mask embedding in its row."""
    state: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, LoraLinear):
            state[f"{name}.weight"] = module.merged().detach()
        elif isinstance(module, (nn.Linear, nn.RMSNorm, nn.Embedding)) and not name.endswith(".base"):
            state[f"{name}.weight"] = module.weight.detach()
    if model.mask_embedding is not None:
        assert model.mask_id is not None
        state["embed_tokens.weight"] = state["embed_tokens.weight"].clone()
        state["embed_tokens.weight"][model.mask_id] = model.mask_embedding.detach()
    return state
