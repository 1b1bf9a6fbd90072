"""Everything here runs on a tiny random model, without network and without the cache."""

from __future__ import annotations

import pytest
import torch

from recipe.model.llama import Llama, LlamaConfig

TINY = LlamaConfig(
    hidden_size=32,
    intermediate_size=48,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=8,
    vocab_size=40,
    rope_theta=1e4,
    rms_norm_eps=1e-5,
    max_positions=64,
)
TINY_MASK = 3


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same figures on every processor; tests of bfloat16 ask for it. One thread: small operations only wait for a second one."""
    torch.set_num_threads(1)
    monkeypatch.setattr("recipe.train.adapter_run.fast_bfloat16", lambda: False)


@pytest.fixture
def tiny() -> Llama:
    """A random model whose logits spread over a few units."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Llama(TINY, TINY_MASK)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape)
        parameter.data = 1 + 0.1 * noise if "norm" in name else 0.25 * noise
    return model
