"""Block decoding in PyTorch, batched: prompts of one length, a cache of committed keys and values, one policy.

Steps are counted as the engine runs them: the forward that commits a block also drafts the next one. The first id of the next block comes
from the last committed row; its other ids are masked. So a block of length 1 costs a step per token, and a block of b costs 1..b steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from recipe.model.attention import Layers, spread_groups
from recipe.model.llama import Attend, Llama
from recipe.progress import progress

Policy = Callable[[Tensor, Tensor, int], Tensor]
"""(confidence [G, S], masked [G, S], step from 1) -> which positions to decide, bool [G, S]. If none is, the caller decides one."""

CERTAIN = 1e-4
"""A confidence is kept this far from 0 and 1, because its odds have no gradient there."""


def threshold(tau: float) -> Policy:
    """Decides every position with a confidence of at least tau."""
    return lambda confidence, masked, step: masked & (confidence >= tau)


def fixed(steps: int) -> Policy:
    """Decides the surest positions: equal shares over the `steps` steps of a block."""

    def choose(confidence: Tensor, masked: Tensor, step: int) -> Tensor:
        # The first id, decided causally in the first step, is part of that step's share.
        turns = max(1, steps - step + 1)
        given = int(step == 1)
        share = (masked.sum(1) + given + turns - 1) // turns - given
        rank = confidence.masked_fill(~masked, -1.0).argsort(stable=True, dim=1, descending=True).argsort(dim=1)
        return torch.logical_and(masked, rank < share[:, None])

    return choose


def reveal_log_odds(confidence: Tensor, tau: float, softness: float) -> Tensor:
    """Log-odds of deciding: those of the confidence less those of tau, divided by the softness. Softness towards 0 is a threshold."""
    kept = confidence.clamp(CERTAIN, 1 - CERTAIN)
    bar = torch.tensor(tau / (1 - tau)).log()
    return (kept.log() - torch.log1p(-kept) - bar) / softness


def soft_threshold(tau: float, softness: float, generator: torch.Generator) -> Policy:
    """A threshold that is passed by chance, so that trajectories of one prompt differ and their probability has a gradient."""

    def choose(confidence: Tensor, masked: Tensor, step: int) -> Tensor:
        drawn = torch.rand(confidence.shape, generator=generator).to(confidence.device)
        return masked & (drawn < reveal_log_odds(confidence, tau, softness).sigmoid())

    return choose


def appending(cache: Layers) -> Attend:
    """Causal rows after the cached ones; their keys and values are appended."""
    layer = 0

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        nonlocal layer
        if layer == len(cache):
            cache.append((k, v))
        else:
            cache[layer] = (torch.cat([cache[layer][0], k], dim=2), torch.cat([cache[layer][1], v], dim=2))
        keys, values = cache[layer]
        layer += 1
        new, total, heads = q.shape[2], keys.shape[2], q.shape[1]
        mask = torch.ones(new, total, dtype=torch.bool, device=q.device).tril(total - new)
        return F.scaled_dot_product_attention(q, spread_groups(keys, heads), spread_groups(values, heads), attn_mask=mask)

    return attend


def beside(cache: Layers) -> Attend:
    """Rows of one block that see the cached rows and each other."""
    layers = iter(cache)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys, values = next(layers)
        keys, values, heads = torch.cat([keys, k], dim=2), torch.cat([values, v], dim=2), q.shape[1]
        return F.scaled_dot_product_attention(q, spread_groups(keys, heads), spread_groups(values, heads))

    return attend


@dataclass(frozen=True)
class Rollouts:
    """G continuations of C tokens in blocks."""

    ids: Tensor  # [G, C]
    decided: Tensor  # [G, C], the step of its block that decided the position, from 1
    forced: Tensor  # [G, C], decided only because the policy had decided nothing
    block: int

    @property
    def steps(self) -> Tensor:
        """Forwards [G] of each continuation."""
        return self.decided.view(len(self.ids), -1, self.block).amax(2).sum(1)

    def global_steps(self) -> Tensor:
        """The step [G, C] of the whole continuation, from 1, that decided each position."""
        per_block = self.decided.view(len(self.ids), -1, self.block)
        before = per_block.amax(2).cumsum(1) - per_block.amax(2)
        return (per_block + before[..., None]).view_as(self.decided)


def draw(logits: Tensor, temperature: float, generator: torch.Generator | None) -> Tensor:
    """Ids [...] for logits [..., V]; 0 is greedy."""
    if temperature == 0:
        return logits.argmax(-1)
    weights = (logits / temperature).softmax(-1).flatten(0, -2)
    # On the CPU, so that a seed means the same on every device.
    return torch.multinomial(weights.cpu(), 1, generator=generator).view(logits.shape[:-1]).to(logits.device)


def rows_logits(model: Llama, hidden: Tensor) -> Tensor:
    """[..., d] -> [..., V] in float32; the mask token is no candidate."""
    assert model.mask_id is not None
    logits = model.logits(hidden).float()
    logits[..., model.mask_id] = float("-inf")
    return logits


@torch.no_grad()
def roll_out(
    model: Llama,
    prompts: Tensor,
    length: int,
    block: int,
    policy: Policy,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Rollouts:
    """`length` tokens (a multiple of block) after prompts [G, P]. A block's first id is always the causal argmax."""
    assert model.mask_id is not None
    assert length % block == 0, "the continuation is not made of whole blocks"
    group, context = prompts.shape
    device = prompts.device
    cache: Layers = []
    committed = prompts
    ids, decided, forced = [], [], []
    for start in progress(range(0, length, block), "blocks"):
        from_position = context + start - committed.shape[1]
        position = torch.arange(from_position, context + start, device=device)
        causal = rows_logits(model, model.hidden(committed, position, appending(cache))[:, -1])
        canvas = torch.full((group, block), model.mask_id, device=device)
        at, pushed = torch.zeros_like(canvas), torch.zeros_like(canvas, dtype=torch.bool)
        position = torch.arange(context + start, context + start + block, device=device)
        step = 0
        while bool((at == 0).any()):
            step += 1
            open_ = at == 0
            choice, confidence = canvas.clone(), torch.zeros(canvas.shape, device=device)
            if block > 1:
                logits = rows_logits(model, model.hidden(canvas, position, beside(cache))[:, :-1])
                choice[:, 1:], confidence[:, 1:] = draw(logits, temperature, generator), logits.softmax(-1).amax(-1)
            if step == 1:
                choice[:, 0] = causal.argmax(-1)
            inside = open_.clone()
            inside[:, 0] = False
            now = policy(confidence, inside, step) & inside
            now[:, 0] |= open_[:, 0]
            stuck = open_.any(1) & ~now.any(1)
            best = confidence.masked_fill(~inside, -1.0).argmax(1)
            push = F.one_hot(best, block).bool() & stuck[:, None]
            now, pushed = now | push, pushed | push
            canvas, at = torch.where(now, choice, canvas), torch.where(now, step, at)
        committed = canvas
        ids.append(canvas)
        decided.append(at)
        forced.append(pushed)
    return Rollouts(torch.cat(ids, 1), torch.cat(decided, 1), torch.cat(forced, 1), block)
