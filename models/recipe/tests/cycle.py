"""A language that a toy model knows causally in seconds and in parallel only half: twelve ids in a circle."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from recipe.model import attention
from recipe.model.llama import Llama
from recipe.orders.rollout import rows_logits
from tests.conftest import TINY, TINY_MASK

FIRST, ROUND = 5, 12
BLOCK = 8
LENGTH = 32


def circle(start: int, length: int) -> list[int]:
    """`length` ids from the start-th on."""
    return [FIRST + (start + i) % ROUND for i in range(length)]


def cycle_model(steps: int, drafts: bool = True) -> Llama:
    """A model after so many steps of causal and masked training, all weights trained: sure causally, unsure of drafts.

    Without `drafts` it has never seen a mask.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Llama(TINY, TINY_MASK)
    torch.nn.init.normal_(model.embed_tokens.weight, std=0.3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    attend = attention.dense(attention.two_stream_mask(LENGTH, BLOCK))
    position = torch.arange(LENGTH).repeat(2)
    first = torch.arange(LENGTH) % BLOCK == 0
    for _ in range(steps):
        ids = FIRST + (torch.randint(ROUND, (8, 1)) + torch.arange(LENGTH)) % ROUND
        mask = torch.rand(8, LENGTH) < 0.4 + 0.6 * torch.rand(8, 1)
        logits = rows_logits(model, model.hidden(torch.cat([torch.where(mask, TINY_MASK, ids), ids], 1), position, attend))
        asked = mask[:, 1:] & ~first[1:]
        causal = F.cross_entropy(logits[:, LENGTH:-1].flatten(0, 1), ids[:, 1:].flatten())
        masked = F.cross_entropy(logits[:, : LENGTH - 1][asked], ids[:, 1:][asked])
        optimizer.zero_grad()
        (causal + masked if drafts else causal).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model
