from __future__ import annotations

import torch

from recipe.model.attention import causal
from recipe.model.llama import Llama, LlamaConfig
from recipe.orders.continuations import continuations, until_end

CONFIG = LlamaConfig(hidden_size=32, intermediate_size=48, layers=2, heads=4, kv_heads=2, head_dim=8, vocab_size=64, max_positions=64)


@torch.no_grad()
def test_a_batch_writes_what_whole_forwards_choose() -> None:
    torch.manual_seed(3)
    model = Llama(CONFIG, mask_id=5)
    prompts = torch.randint(6, 64, (3, 7))
    made = continuations(model, prompts, 9)
    texts = prompts
    for at in range(9):
        logits = model.logits(model.hidden(texts, torch.arange(texts.shape[1]), causal)[:, -1])
        logits[:, 5] = float("-inf")
        torch.testing.assert_close(made[:, at], logits.argmax(-1))
        texts = torch.cat([texts, made[:, at : at + 1]], dim=1)


def test_a_continuation_ends_before_its_end_of_text() -> None:
    assert until_end([7, 8, 0, 9]) == [7, 8]
    assert until_end([2, 8]) == []
    assert until_end([7, 8]) == [7, 8]
