from __future__ import annotations

import torch

from recipe.evaluate.agreement import agreements, forwards, tokens_per_forward
from recipe.evaluate.draft_agreement import engine_forwards
from recipe.model.attention import causal, dense, prefix_block_mask
from recipe.model.llama import Llama, LlamaConfig

CONFIG = LlamaConfig(hidden_size=32, intermediate_size=48, layers=2, heads=4, kv_heads=2, head_dim=8, vocab_size=12, max_positions=64)
MASK, FIRST, BLOCK = 5, 6, 4


@torch.no_grad()
def test_agreement_is_that_of_one_active_block_after_its_prefix() -> None:
    torch.manual_seed(0)
    model = Llama(CONFIG, mask_id=MASK)
    # Half of the text is what an untrained model drafts everywhere, so that runs of every length agree.
    logits = model.logits(model.hidden(torch.full((1, 1), MASK), torch.arange(1), causal))[0, 0]
    logits[MASK] = float("-inf")
    text = torch.where(torch.rand(50) < 0.5, logits.argmax(), torch.randint(6, 12, (50,)))
    found = agreements(model, text, FIRST, BLOCK)
    assert len(found) == len(text) - BLOCK + 1 - FIRST
    for place, agreed in enumerate(found, start=FIRST):
        # The engine runs a block's masks but the last, which drafts nothing.
        rows = torch.cat([text[:place], torch.full((BLOCK - 1,), MASK)])[None]
        mask = prefix_block_mask(place, BLOCK - 1)
        logits = model.logits(model.hidden(rows, torch.arange(place + BLOCK - 1), dense(mask)))[0, place:]
        logits[:, MASK] = float("-inf")
        drafted = logits.argmax(-1).tolist()
        expected = 1
        while expected < BLOCK and drafted[expected - 1] == int(text[place + expected]):
            expected += 1
        assert agreed == expected
    assert len(set(found)) > 2


def test_forwards_by_hand() -> None:
    assert forwards([1, 1, 1]) == (3, 3)
    assert forwards([3, 1, 1, 2, 1]) == (5, 2)
    assert forwards([2, 9, 4]) == (6, 2)


def test_a_model_that_repeats_itself_agrees_with_whole_blocks() -> None:
    model = Llama(CONFIG, mask_id=MASK)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    text = torch.zeros(1, 30, dtype=torch.long)
    # Drafts with a confidence of 1 in 11 are not offered, but for the first of each window: two tokens a forward after the first forward.
    engine, most = tokens_per_forward(model, text, FIRST, BLOCK)
    assert most == BLOCK
    assert engine == 21 / 11


def test_the_engine_loses_a_window_when_a_draft_is_refused_and_not_when_it_is_not_offered() -> None:
    # Forwards: id 0 and its window; ids 1, 2; then a refused draft: id 3 alone, and a forward that has nothing to check.
    assert engine_forwards({0: 1, 2: 0, 4: 2}, 0, 5, {0: 1, 2: 1, 4: 2}) == (5, 4)
    assert engine_forwards({0: 1, 2: 0, 3: 2}, 0, 6, {0: 1, 2: 0, 3: 2}) == (7, 4)
