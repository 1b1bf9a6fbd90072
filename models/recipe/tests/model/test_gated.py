from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from recipe.model import attention
from recipe.model.gated import GatedLinear, GatedLlama, add_gated_adapters, load_gated
from recipe.model.llama import Llama
from recipe.model.lora import ADAPTED, adapter_state, save_adapter
from tests.conftest import TINY, TINY_MASK

CONTEXT, WINDOW = 12, 4


def gated(base: Llama) -> GatedLlama:
    """Adapters that are not the identity."""
    model = add_gated_adapters(base, rank=2)
    torch.manual_seed(5)
    for tensor in adapter_state(model).values():
        tensor.copy_(0.3 * torch.randn(tensor.shape))
    return model


def prefix_then_masks() -> Tensor:
    """[1, S]: a clean text and masks after it."""
    torch.manual_seed(1)
    return torch.cat([torch.randint(4, 40, (1, CONTEXT)), torch.full((1, WINDOW), TINY_MASK)], 1)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_clean_rows_are_those_of_the_base_bit_for_bit(tiny: Llama, bfloat16: bool) -> None:
    ids = prefix_then_masks()
    attend = attention.dense(attention.prefix_block_mask(CONTEXT, WINDOW))
    model = gated(tiny)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        ours, base = (m.logits(m.hidden(ids, torch.arange(ids.shape[1]), attend))[0] for m in (model, tiny))
    assert torch.equal(ours[:CONTEXT], base[:CONTEXT])
    assert (ours[CONTEXT:] - base[CONTEXT:]).abs().amax(1).min() > 0.1


def test_text_without_masks_is_the_bases_own(tiny: Llama) -> None:
    ids = prefix_then_masks()[:, :CONTEXT]
    model = gated(tiny)
    positions = torch.arange(CONTEXT)
    with torch.no_grad():
        assert torch.equal(model.hidden(ids, positions, attention.causal), tiny.hidden(ids, positions, attention.causal))


def test_every_adapter_acts_on_mask_rows_as_a_merged_matrix_would(tiny: Llama) -> None:
    ids = torch.full((1, WINDOW), TINY_MASK)
    model = gated(tiny)
    merged = Llama(TINY, TINY_MASK)
    merged.load_state_dict(tiny.state_dict())
    adapters = {name: module for name, module in model.named_modules() if isinstance(module, GatedLinear)}
    assert {name.rsplit(".", 1)[1] for name in adapters} == set(ADAPTED)
    assert len(adapters) == TINY.layers * len(ADAPTED)
    for name, module in adapters.items():
        merged.get_parameter(f"{name}.weight").data += module.scale * (module.lora_b @ module.lora_a).detach()
    with torch.no_grad():
        ours, reference = (m.hidden(ids, torch.arange(WINDOW), attention.causal) for m in (model, merged))
    torch.testing.assert_close(ours, reference)


def test_a_new_adapter_changes_nothing_and_only_it_is_trained(tiny: Llama) -> None:
    ids = prefix_then_masks()
    model = add_gated_adapters(tiny, rank=2)
    positions = torch.arange(ids.shape[1])
    with torch.no_grad():
        assert torch.equal(model.hidden(ids, positions, attention.causal), tiny.hidden(ids, positions, attention.causal))
    assert {name.rsplit(".", 1)[1] for name in adapter_state(model)} == {"lora_a", "lora_b"}


def test_an_adapter_survives_its_file_and_fits_no_other_model(tiny: Llama, tmp_path: Path) -> None:
    model = gated(tiny)
    save_adapter(model, tmp_path / "adapter.safetensors", torch.float32)
    read = load_gated(tiny, tmp_path / "adapter.safetensors")
    ids = prefix_then_masks()
    positions = torch.arange(ids.shape[1])
    with torch.no_grad():
        assert torch.equal(read.hidden(ids, positions, attention.causal), model.hidden(ids, positions, attention.causal))
    other = Llama(replace(TINY, intermediate_size=56), TINY_MASK)
    with pytest.raises(ValueError, match="another model"):
        load_gated(other, tmp_path / "adapter.safetensors")
