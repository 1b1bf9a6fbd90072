from __future__ import annotations

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from recipe.model import attention
from recipe.model.exported import hugging_face_config
from recipe.model.gguf_weights import rotate_half_rows, target_name
from recipe.model.llama import Llama
from recipe.model.lora import adapter_state, add_adapters, load_adapter, merged_state, save_adapter
from recipe.model.start import separate_markers


def reference(model: Llama, state: dict[str, torch.Tensor]) -> LlamaForCausalLM:
    """transformers' model with the same weights, as an export would be read."""
    settings = {k: v for k, v in hugging_face_config(model.config).items() if k != "torch_dtype"}
    settings |= {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    stock = LlamaForCausalLM(LlamaConfig(**settings)).eval()
    missing = stock.load_state_dict({f"model.{name}": tensor for name, tensor in state.items()}, strict=False)
    assert missing.unexpected_keys == []
    assert missing.missing_keys == ["lm_head.weight"]
    stock.tie_weights()
    return stock


def test_causal_logits_equal_transformers(tiny: Llama) -> None:
    ids = torch.randint(0, 40, (2, 17))
    ours = tiny.logits(tiny.hidden(ids, torch.arange(17), attention.causal))
    theirs = reference(tiny, merged_state(tiny))(input_ids=ids).logits
    assert ours.std() > 1
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def trained(model: Llama) -> Llama:
    """Adapters with something in them."""
    add_adapters(model, rank=4)
    for tensor in adapter_state(model).values():
        tensor.add_(0.1 * torch.randn(tensor.shape))
    return model


def test_a_fresh_adapter_changes_nothing(tiny: Llama) -> None:
    ids = torch.randint(0, 40, (1, 9))
    before = tiny.hidden(ids, torch.arange(9), attention.causal)
    after = add_adapters(tiny, rank=4).hidden(ids, torch.arange(9), attention.causal)
    torch.testing.assert_close(after, before)


def test_merged_weights_equal_the_adapter_and_transformers_reads_them(tiny: Llama) -> None:
    model = trained(tiny)
    ids = torch.randint(0, 40, (1, 15))
    ids[0, 5:8] = 3
    adapted = model.logits(model.hidden(ids, torch.arange(15), attention.causal))
    state = merged_state(model)
    plain = Llama(model.config)
    plain.load_state_dict(state)
    torch.testing.assert_close(plain.hidden(ids, torch.arange(15), attention.causal) @ model.embed_tokens.weight.T, adapted)
    assert torch.equal(state["embed_tokens.weight"][3], model.mask_embedding.detach())  # type: ignore[union-attr]
    # The head's own mask row differs by design: only the other columns are comparable.
    stock = reference(plain, state)(input_ids=ids).logits
    torch.testing.assert_close(stock[..., 4:], adapted[..., 4:], atol=1e-4, rtol=1e-4)


def test_adapter_file_round_trip(tiny: Llama, tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = trained(tiny)
    expected = {name: tensor.bfloat16().float() for name, tensor in adapter_state(model).items()}
    save_adapter(model, tmp_path / "adapter.safetensors")
    for tensor in adapter_state(model).values():
        tensor.zero_()
    load_adapter(model, tmp_path / "adapter.safetensors")
    assert all(torch.equal(adapter_state(model)[name], tensor) for name, tensor in expected.items())


def test_gguf_row_order_and_names() -> None:
    # llama.cpp stores a head's rows interleaved: (0, 2), (1, 3) of the two halves become rows 0, 1, 2, 3.
    interleaved = np.array([[0], [2], [1], [3], [10], [12], [11], [13]], dtype=np.float32)
    assert rotate_half_rows(interleaved, heads=2)[:, 0].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
    assert target_name("blk.12.ffn_down.weight") == "layers.12.mlp.down_proj.weight"
    assert target_name("token_embd.weight") == "embed_tokens.weight"


def test_infill_markers_are_told_apart() -> None:
    # As in the base: unused rows are one vector but for rounding.
    embedding = torch.randn(40, 64)
    embedding[1:17] = embedding[1] + 0.01 * torch.randn(16, 64)
    before = embedding.clone()
    separate_markers(embedding)
    markers = torch.nn.functional.normalize(embedding[8:12], dim=1)
    assert (markers @ markers.T - torch.eye(4)).abs().max() < 0.8
    assert torch.nn.functional.cosine_similarity(embedding[11], embedding[0], dim=0) > 0.5
    untouched = [i for i in range(40) if not 8 <= i < 12]
    assert torch.equal(embedding[untouched], before[untouched])
    torch.testing.assert_close(embedding[8:12].norm(dim=1), before.norm(dim=1).median().expand(4))
