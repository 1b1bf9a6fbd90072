from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from recipe.int4.distil import DistilRun, DistilSettings, Gained, GridEmbedding, GridLinear
from recipe.int4.quantize import rounded
from recipe.model.llama import Llama, LlamaConfig
from recipe.train.objective import mask_noise
from recipe.train.sequences import NoisySequence

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
        if isinstance(module, (nn.Linear, nn.Embedding)):
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
    distil = run(tmp_path, 60)

    def divergence() -> float:
        numbers = [distil.sequence_gradient(index)[1] for index in range(1000, 1008)]
        return sum(n["causal_kl"] + n["masked_kl"] for n in numbers)

    before = divergence()
    distil.train()
    assert divergence() < 0.85 * before


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 6)
    records = [whole.train_step() for _ in range(6)]
    first = run(tmp_path / "parts", 6)
    for _ in range(3):
        first.train_step()
    first.save()
    resumed = run(tmp_path / "parts", 6)
    resumed.resume()
    assert [resumed.train_step() for _ in range(3)] == records[3:]
    for layer, expected in zip(resumed.layers, whole.layers, strict=True):
        assert torch.equal(layer.weight, expected.weight)


def test_the_best_step_on_held_out_text_is_kept(tmp_path: Path) -> None:
    """With a rate that ruins the model, that is an early step."""
    settings = DistilSettings(steps=12, learning_rate=0.3, warmup=1, check_steps=3)
    held_out = [sequence(index) for index in range(1000, 1004)]

    def ruined(folder: Path) -> DistilRun:
        return DistilRun(nearest(), fresh(), sequence, torch.arange(4, 96), settings, folder, held_out=held_out)

    distil = ruined(tmp_path / "whole")
    distil.train()
    log = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    checks = {line["step"]: sum(line["held_out"].values()) for line in log if "held_out" in line}
    assert list(checks) == [0, 3, 6, 9, 12]
    assert checks[12] > 1.5 * min(checks.values())
    with torch.no_grad():
        divergence = sum(float(part) for one in held_out for part in distil.divergences(one)) / len(held_out)
    assert divergence == pytest.approx(min(checks.values()), abs=1e-4)

    first = ruined(tmp_path / "parts")
    first.check()
    for _ in range(3):
        first.train_step()
    first.check()
    first.save()
    second = ruined(tmp_path / "parts")
    second.resume()
    second.train()
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(second.layers, distil.layers, strict=True))


def test_weights_stay_on_the_grid(tmp_path: Path) -> None:
    distil = run(tmp_path, 5)
    start = [layer.weight.clone() for layer in distil.layers]
    distil.train()
    for layer, old in zip(distil.layers, start, strict=True):
        assert not torch.equal(layer.weight, old)
        torch.testing.assert_close(rounded(layer.weight)[0], layer.weight, atol=0, rtol=1e-3)


def test_gradient_of_a_gain() -> None:
    torch.manual_seed(1)
    layer = GridLinear(nn.Linear(64, 3, bias=False).requires_grad_(False), torch.float32)
    x, exact = torch.randn(2, 5, 64, requires_grad=True), torch.ones(3, 2, requires_grad=True)
    weight = (layer.weight.view(3, 2, 32) * exact[..., None]).view(3, 64)
    expected = torch.autograd.grad((x @ weight.T).square().sum(), (x, exact))
    out: Tensor = Gained.apply(x, layer.gain, layer.used)  # type: ignore[no-untyped-call]
    for ours, theirs in zip(torch.autograd.grad(out.square().sum(), (x, layer.gain)), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_an_embedding_reads_what_is_stored() -> None:
    torch.manual_seed(1)
    embedding = GridEmbedding(nn.Embedding(8, 64).requires_grad_(False))
    embedding.gain.data.fill_(1.1)
    embedding.refresh()
    ids = torch.tensor([[3, 3], [5, 0]])
    rows = embedding(ids)
    torch.testing.assert_close(rows, embedding.weight[ids])
    (gradient,) = torch.autograd.grad(rows.square().sum(), embedding.gain)
    torch.testing.assert_close(gradient[5], 2 * embedding.weight[5].view(2, 32).square().sum(-1) / 1.1)
    assert not gradient[1].any()
