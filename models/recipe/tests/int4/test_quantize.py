from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from recipe.int4.quantize import QuantizedWeights, quantize_int4, refitted, rounded, rounded_with
from recipe.model import attention
from recipe.model.converted import dequantize_int4, load_converted
from recipe.model.exported import hugging_face_config
from recipe.model.llama import Llama
from recipe.model.lora import LoraLinear, adapter_state, add_adapters, merged_state
from recipe.oracle.fixture import MASK, VOCABULARY, write_fixture
from recipe.paths import REPOSITORY_ROOT
from tests.conftest import TINY

NODE = REPOSITORY_ROOT / "node_modules" / "node" / "bin" / "node"


def convert(source: Path, out: Path) -> Path:
    """`npm run convert` without npm."""
    assert NODE.exists(), "these tests run the converter: npm install in the repository's root first"
    command = [str(NODE), "src/convert/cli.ts", str(source), "tiny", "--out", str(out)]
    subprocess.run(command, cwd=REPOSITORY_ROOT, check=True, capture_output=True, text=True)
    return out / "tiny"


def awkward_checkpoint(folder: Path) -> dict[str, torch.Tensor]:
    """A tiny checkpoint with groups that are zero, tiny, huge, one-sided, tied and all alike beside random ones."""
    write_fixture("tiny-llama", folder)
    state: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    embedding = state["model.embed_tokens.weight"]
    embedding[0, :32] = 0
    embedding[1, :32] *= 1e-9
    embedding[2, :32] *= 1e4
    embedding[3, :32] = embedding[3, :32].abs()
    embedding[4, :32] = -embedding[4, :32].abs()
    embedding[5, :32] = 0.125
    embedding[6, :32] = torch.tensor([1.0, -1.0] * 16)
    embedding[7, :32] = torch.arange(32) / 7 - 2
    embedding[8, :32] = 0
    embedding[8, 9] = -3e-5
    embedding[9, :32] *= 1e-6  # near the smallest fp16 scales
    embedding[10:40] *= torch.logspace(-7, 3, 30)[:, None]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return state


def test_bytes_equal_the_converter(tmp_path: Path) -> None:
    state = awkward_checkpoint(tmp_path / "checkpoint")
    folder = convert(tmp_path / "checkpoint", tmp_path / "models")
    manifest = json.loads((folder / "manifest.json").read_text())
    compared = 0
    for tensor in manifest["tensors"]:
        if tensor["type"] != "int4":
            continue
        (part,) = tensor["parts"]
        shard = (folder / manifest["shards"][part["shard"]]["file"]).read_bytes()
        data, scales = quantize_int4(state[tensor["name"]].numpy())
        assert shard[part["data"] : part["data"] + data.nbytes] == data.tobytes(), tensor["name"]
        assert shard[part["scales"] : part["scales"] + scales.nbytes] == scales.tobytes(), tensor["name"]
        compared += data.size * 2
    assert compared == sum(tensor.numel() for tensor in state.values() if tensor.ndim == 2)


def test_a_zero_group_and_a_weight_that_cannot_be_stored() -> None:
    data, scales = quantize_int4(np.zeros((2, 64), dtype=np.float32))
    assert (data == 0x88).all()
    assert (scales == 0).all()
    with pytest.raises(ValueError, match="finite"):
        quantize_int4(np.full((1, 32), np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match="16-bit"):
        quantize_int4(np.full((1, 32), 1e7, dtype=np.float32))


def test_rounding_with_known_scales_is_the_nearest_code() -> None:
    torch.manual_seed(0)
    weight = torch.randn(8, 96)
    value, scales = rounded(weight)
    error = (weight - value).square().mean()
    again = rounded_with(weight, scales)
    assert (weight - again).square().mean() == pytest.approx(float(error), rel=1e-5)
    assert (again == value).float().mean() > 0.99, "the same codes but for ties"
    levels = value.view(8, 3, 32) / scales[..., None]
    torch.testing.assert_close(levels, levels.round())
    assert torch.equal(rounded_with(weight, torch.zeros(8, 3)), torch.zeros(8, 96))
    # Twice is once.
    data, stored = quantize_int4(value.numpy())
    torch.testing.assert_close(torch.from_numpy(dequantize_int4(data, stored)), value)


def test_refitted_scales_follow_the_weights() -> None:
    torch.manual_seed(1)
    weight = torch.randn(16, 64)
    _, scales = rounded(weight)
    torch.testing.assert_close(refitted(weight, scales), scales, rtol=2e-3, atol=0)
    moved = 1.3 * weight + 0.05 * torch.randn(16, 64)
    best = (rounded(moved)[0] - moved).norm()
    stale = (rounded_with(moved, scales) - moved).norm()
    for _ in range(3):
        scales = refitted(moved, scales)
    assert (rounded_with(moved, scales) - moved).norm() < 1.35 * best < stale
    assert torch.equal(scales, scales.half().float())
    zeros = torch.zeros(16, 64)
    assert torch.equal(refitted(zeros, scales), scales)


def quantizable(seed: int = 0) -> Llama:
    """A tiny model whose matrices have rows of whole groups, with adapters that do something."""
    torch.manual_seed(seed)
    model = Llama(replace(TINY, intermediate_size=64, vocab_size=VOCABULARY), MASK)
    for name, parameter in model.named_parameters():
        parameter.data = 1 + 0.1 * torch.randn(parameter.shape) if "norm" in name else 0.25 * torch.randn(parameter.shape)
    add_adapters(model, rank=4)
    for tensor in adapter_state(model).values():
        tensor.add_(0.1 * torch.randn(tensor.shape))
    return model


def adapted(model: Llama, name: str) -> LoraLinear:
    layer = model.get_submodule(name)
    assert isinstance(layer, LoraLinear)
    return layer


def test_the_forward_pass_is_that_of_the_stored_model(tmp_path: Path) -> None:
    """Merged, written, converted by the converter and read back, the model says the same as in training."""
    model = quantizable()
    state = {name: tensor.clone().contiguous() for name, tensor in merged_state(model).items()}
    folder = tmp_path / "checkpoint"
    write_fixture("tiny-llama", folder)  # for its tokenizer
    config = hugging_face_config(model.config) | {"mask_token_id": MASK, "eos_token_id": 0, "bos_token_id": 0, "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(config))
    save_file({f"model.{name}": tensor for name, tensor in state.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    stored, _ = load_converted(convert(folder, tmp_path / "models"))
    QuantizedWeights(model)
    ids = torch.randint(4, 40, (1, 12))
    ids[0, 6:9] = MASK
    ours = model.hidden(ids, torch.arange(12), attention.causal)
    torch.testing.assert_close(ours, stored.hidden(ids, torch.arange(12), attention.causal), atol=1e-5, rtol=1e-4)


def test_gradients_are_straight_through() -> None:
    """The gradient of every adapter is the chain rule of the gradient of its rounded merged weight."""
    model = quantizable()
    QuantizedWeights(model)
    layer = adapted(model, "layers.0.mlp.up_proj")
    assert layer.rounded is not None
    x = torch.randn(5, 32, requires_grad=True)
    target = torch.randn(5, 64)
    gradients = torch.autograd.grad(((layer(x) - target) ** 2).sum(), [x, layer.lora_a, layer.lora_b])
    weight = layer.rounded.clone().requires_grad_()
    output = x @ weight.T
    x_gradient, weight_gradient = torch.autograd.grad(((output - target) ** 2).sum(), [x, weight])
    expected = (x_gradient, layer.scale * layer.lora_b.T @ weight_gradient, layer.scale * weight_gradient @ layer.lora_a.T)
    for ours, reference in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-4, rtol=1e-4)


def test_gradients_in_mixed_precision() -> None:
    model = quantizable()
    QuantizedWeights(model)
    ids = torch.randint(4, 40, (1, 12))
    parameters = [p for p in model.parameters() if p.requires_grad and p is not model.mask_embedding]
    gradients = []
    for rough in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=rough):
            loss = model.hidden(ids, torch.arange(12), attention.causal).float().square().sin().sum()
        gradients.append(torch.autograd.grad(loss, parameters))
    for exact, rough_one in zip(*gradients, strict=True):
        assert rough_one.dtype == torch.float32
        assert torch.nn.functional.cosine_similarity(exact.flatten(), rough_one.flatten(), dim=0) > 0.9


def test_refresh_follows_the_adapter() -> None:
    model = quantizable()
    weights = QuantizedWeights(model)
    layer = adapted(model, "layers.1.self_attn.q_proj")
    before = layer.rounded
    assert before is not None
    with torch.no_grad():
        layer.lora_b.add_(0.05)
        assert model.mask_embedding is not None
        model.mask_embedding.add_(0.2)
    assert layer.rounded is before
    weights.refresh()
    assert layer.rounded is not None
    assert not torch.equal(layer.rounded, before)
    merged = layer.merged().detach()
    # Scales are a little old: close to the best rounding, not equal to it.
    assert (merged - layer.rounded).norm() < 0.2 * merged.norm()
    weights.refreshed = 0
    weights.refresh()
    torch.testing.assert_close(layer.rounded, rounded(merged)[0])
    assert model.mask_rounding is not None
    torch.testing.assert_close(model.mask_embedding + model.mask_rounding, rounded(model.mask_embedding[None])[0][0])
