from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from recipe.distil_int4 import SCALE, DistilRun, DistilSettings, GridLinear, OnGrid
from recipe.llama import Llama, LlamaConfig
from recipe.objective import mask_noise
from recipe.quantize import rounded
from recipe.sequences import NoisySequence

CONFIG = LlamaConfig(
    hidden_size=64, intermediate_size=96, layers=2, heads=2, kv_heads=1, head_dim=32, vocab_size=96, rope_theta=1e4, max_positions=64
)
MASK = 3


def fresh() -> Llama:
    """A random model; the same at every call."""
    torch.manual_seed(0)
    model = Llama(CONFIG, MASK)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data = 0.2 * torch.randn(parameter.shape)
    return model.requires_grad_(False)


def nearest() -> Llama:
    """The same model, rounded to nearest."""
    model = fresh()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.weight.copy_(rounded(module.weight)[0])
    return model


def sequence(index: int) -> NoisySequence:
    """A random text with half of its positions hidden."""
    generator = torch.Generator().manual_seed(index)
    ids = torch.randint(4, 96, (32,), generator=generator)
    return NoisySequence(ids, mask_noise(ids, torch.rand(1, 32, generator=generator) < 0.5, 8, MASK), 8, 1.0)


def run(folder: Path, steps: int) -> DistilRun:
    settings = DistilSettings(steps=steps, learning_rate=3e-3, warmup=1)
    return DistilRun(nearest(), fresh(), sequence, torch.arange(4, 96), settings, folder)


def test_a_rounded_model_comes_nearer_to_its_parent(tmp_path: Path) -> None:
    distil = run(tmp_path, 40)

    def divergence() -> float:
        numbers = [distil.sequence_gradient(index)[1] for index in range(1000, 1008)]
        return sum(n["causal_kl"] + n["masked_kl"] for n in numbers)

    before = divergence()
    distil.train()
    assert divergence() < 0.8 * before


def test_weights_stay_on_the_grid(tmp_path: Path) -> None:
    distil = run(tmp_path, 5)
    start = [layer.weight.clone() for layer in distil.layers]
    distil.train()
    for layer, old in zip(distil.layers, start, strict=True):
        assert not torch.equal(layer.weight, old)
        torch.testing.assert_close(rounded(layer.weight)[0], layer.weight, atol=0, rtol=1e-3)


def test_gradients() -> None:
    torch.manual_seed(1)
    linear = nn.Linear(64, 3, bias=False).requires_grad_(False)
    layer = GridLinear(linear, linear.weight, torch.float32)
    layer.lora_b.data.normal_(std=0.01)
    layer.refresh()
    x, exact = torch.randn(2, 5, 64, requires_grad=True), torch.ones(3, 2, requires_grad=True)
    # Before a gain and after the rounding, whose gradient is taken to be 1.
    moved = SCALE * layer.lora_b @ layer.lora_a
    weight = ((layer.used + moved - moved.detach()).view(3, 2, 32) * exact[..., None]).view(3, 64)
    expected = torch.autograd.grad((x @ weight.T).square().sum(), (x, exact, layer.lora_a, layer.lora_b))
    out: Tensor = OnGrid.apply(x, layer.gain, layer.lora_a, layer.lora_b, layer.used)  # type: ignore[no-untyped-call]
    loss = out.square().sum()
    for ours, theirs in zip(torch.autograd.grad(loss, (x, layer.gain, layer.lora_a, layer.lora_b)), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_latent_weight_rounds_to_the_code_it_was_given() -> None:
    torch.manual_seed(1)
    exact = torch.randn(4, 64)
    elsewhere = rounded(exact + 0.2 * torch.randn(4, 64))[0]
    linear = nn.Linear(64, 4, bias=False).requires_grad_(False)
    linear.weight.copy_(elsewhere)
    layer = GridLinear(linear, exact, torch.float32)
    torch.testing.assert_close(layer.weight, elsewhere)
    assert float((layer.latent - exact).abs().mean()) < float((elsewhere - exact).abs().mean())
