from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from recipe.int4.gptq import Inputs, inverse_factor, round_matrix, round_model
from recipe.int4.quantize import quantize_int4, rounded
from recipe.model import attention
from recipe.model.converted import dequantize_int4
from recipe.model.llama import Llama, LlamaConfig


def correlated(rows: int, width: int) -> Tensor:
    """Inputs that lie near a few directions, as hidden states do."""
    torch.manual_seed(1)
    return torch.randn(rows, 6) @ torch.randn(6, width) + 0.1 * torch.randn(rows, width)


def stored(weight: Tensor) -> Tensor:
    """What the converter makes of a matrix."""
    data, scales = quantize_int4(weight.numpy())
    return torch.from_numpy(dequantize_int4(data, scales)).view_as(weight)


def test_outputs_change_less_than_by_rounding_to_nearest() -> None:
    torch.manual_seed(0)
    weight, x = torch.randn(48, 96), correlated(400, 96)
    exact = x @ weight.T
    ours, nearest = (float((x @ rounded.T - exact).square().mean()) for rounded in (round_matrix(weight, x.T @ x), stored(weight)))
    assert ours < 0.3 * nearest


def test_independent_inputs_leave_nothing_to_pass_on() -> None:
    torch.manual_seed(0)
    weight = torch.randn(16, 64)
    ours, nearest = (float((matrix - weight).square().sum()) for matrix in (round_matrix(weight, torch.eye(64)), rounded(weight)[0]))
    assert nearest * 0.99 < ours < nearest * 1.001


def test_inputs_of_16_bits_are_summed_in_32() -> None:
    module = nn.Sequential(nn.Linear(64, 4, bias=False))
    inputs = Inputs(module)
    x = correlated(2000, 64)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        module(x)
    inputs.close()
    torch.testing.assert_close(inputs.hessians["0"], x.T @ x)
    assert inverse_factor(inputs.hessians["0"].double()).isfinite().all()


@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_the_converter_keeps_what_lies_on_the_grid(scale: float) -> None:
    torch.manual_seed(2)
    weight, x = scale * torch.randn(64, 96), correlated(300, 96)
    weight[3, 32:64] = 0
    rounded = round_matrix(weight, x.T @ x)
    error = (stored(rounded) - rounded).abs().max() / rounded.abs().max()
    assert float(error) < 1e-3


def test_a_model_keeps_its_predictions_better() -> None:
    config = LlamaConfig(
        hidden_size=64, intermediate_size=96, layers=2, heads=2, kv_heads=1, head_dim=32, vocab_size=96, rope_theta=1e4, max_positions=64
    )

    def fresh() -> Llama:
        torch.manual_seed(0)
        model = Llama(config, 3)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.data = 0.2 * torch.randn(parameter.shape)
        # Tokens in a few directions, as learned ones are: without, no column of a matrix can make up for another.
        model.embed_tokens.weight.data = 0.2 * correlated(96, 64)
        return model.requires_grad_(False)

    torch.manual_seed(5)
    ids = [torch.randint(4, 96, (32,)) for _ in range(44)]
    masks = [torch.rand(32) < 0.5 for _ in ids]
    model = fresh()
    round_model(model, ids[:40], masks[:40], [8] * 40)
    nearest = fresh()
    for parameter in nearest.parameters():
        if parameter.dim() > 1:
            parameter.copy_(rounded(parameter)[0])
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.testing.assert_close(stored(parameter.data), parameter.data, atol=1e-3, rtol=0)

    def logits(of: Llama) -> Tensor:
        return torch.cat([of.logits(of.hidden(text[None], torch.arange(32), attention.causal)) for text in ids[40:]])

    exact = logits(fresh())
    ours, theirs = ((logits(of) - exact).square().mean() for of in (model, nearest))
    assert float(ours) < float(theirs)
