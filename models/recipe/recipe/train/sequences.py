"""Training sequences: windows of the corpus, rearranged, hidden and corrupted as the settings say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from recipe.data.edits import Confusions, Edited, edit_noise, token_kinds
from recipe.data.infill import in_middle, with_holes
from recipe.data.windows import Windows
from recipe.orders.order_noise import corrupted_states, order_states
from recipe.orders.orders import Orders
from recipe.train.noise import draw_block_length, draw_mask
from recipe.train.objective import Noisy, mask_noise
from recipe.train.settings import Settings

EXTRA_LEFT = 32
"""Tokens before a window that may move into it when a document is rearranged."""


@dataclass(frozen=True)
class NoisySequence:
    """One text ids [L] and its noisy versions."""

    ids: Tensor
    noisy: Noisy
    block: int
    causal_weight: float
    importance: Tensor | None = None  # [L], what a position counts in both losses


class NoisySequences:
    """The sequences of a run, by index."""

    def __init__(
        self,
        windows: Windows,
        settings: Settings,
        tokenizer: Tokenizer | None,
        common: NDArray[np.int64],
        mask_id: int,
        device: torch.device,
        own: NDArray[np.uint16] | None = None,
        orders: Orders | None = None,
    ) -> None:
        """`common`: frequent ids, candidates for substitutes. Rearranging and edit noise need the tokenizer. `own`: texts [N, L]."""
        self.own, self.orders = own, orders
        assert orders is None or orders.texts.shape[1] == settings.length, "orders of another length: python -m recipe orders --length"
        self.windows, self.settings, self.tokenizer, self.mask_id, self.device = windows, settings, tokenizer, mask_id, device
        assert tokenizer or settings.infill_rate == 0, "rearranging text needs a tokenizer"
        self.confusions = None
        if settings.edit_rate > 0:
            assert tokenizer, "edit noise needs a tokenizer: it substitutes tokens of the same kind"
            self.confusions = Confusions(token_kinds(tokenizer), common)

    def sequence(self, index: int, second_stage: bool = False) -> NoisySequence:
        """The index-th sequence: a function of seed, index and stage alone."""
        s = self.settings
        rng = np.random.default_rng([s.seed, 7, index])
        block = draw_block_length(rng)
        masks = np.stack([draw_mask(s.length, block, rng) for _ in range(s.draws)])
        causal_weight = s.causal_weight if rng.random() < s.causal_share else 0.0
        if self.own is not None and rng.random() < s.own_share:
            # No causal loss: a model that is taught its own choices only grows surer of them.
            text = torch.from_numpy(self.own[rng.integers(len(self.own))].astype(np.int64)).to(self.device)
            return NoisySequence(text, self._masked(text, masks, block), block, 0.0)
        if self.orders is not None and rng.random() < s.orders_share:
            return self._ordered(self.orders, block, second_stage and rng.random() < s.edit_rate, rng)
        ids = self.windows.window(index, EXTRA_LEFT)
        if self.tokenizer and rng.random() < s.infill_rate:
            ids = with_holes(ids, s.length, EXTRA_LEFT, self.tokenizer, rng)
        ids = ids[-s.length :]
        text = torch.from_numpy(ids).to(self.device)
        if self.confusions and second_stage and rng.random() < s.edit_rate:
            noisy = self._edited(ids, masks, block, rng)
        else:
            noisy = self._masked(text, masks, block)
        importance = self._tensor(np.where(in_middle(ids), s.middle_weight, 1.0).astype(np.float32))
        return NoisySequence(text, noisy, block, causal_weight, importance)

    def _masked(self, text: Tensor, masks: NDArray[np.bool_], block: int) -> Noisy:
        """Mask noise alone."""
        return mask_noise(text, torch.from_numpy(masks).to(self.device), block, self.mask_id, self.settings.right_weight)

    def _edited(self, ids: NDArray[np.int64], masks: NDArray[np.bool_], block: int, rng: np.random.Generator) -> Noisy:
        """Edit noise and mask noise, drawn anew for every version."""
        assert self.confusions is not None
        draws = [edit_noise(ids, mask, block, self.confusions, rng) for mask in masks]
        versions = (np.stack([edited.ids for edited, _ in draws]), np.stack([w for _, w in draws]), np.stack([e.own for e, _ in draws]))
        return Noisy(*(self._tensor(array) for array in versions))

    def _ordered(self, orders: Orders, drawn_block: int, edited: bool, rng: np.random.Generator) -> NoisySequence:
        """States of a kept trajectory, on the drawn grid where its decoding followed none. No causal loss, as for own texts."""
        index = int(rng.integers(len(orders.texts)))
        ids, steps = orders.texts[index].astype(np.int64), orders.steps[index]
        block = int(orders.blocks[index]) if orders.blocks[index] > 1 else drawn_block
        versions, weights, guesses = [], [], []
        for _ in range(self.settings.draws):
            masked, weight = order_states(steps, block, self.settings.orders_later, rng)
            noisy = Edited(np.where(masked, self.mask_id, ids), np.zeros_like(ids))
            if edited and self.confusions:
                noisy, weight = corrupted_states(ids, masked, weight, block, self.confusions, rng)
            versions.append(noisy.ids)
            weights.append(weight)
            guesses.append(noisy.own)
        arrays = (np.stack(versions), np.stack(weights), np.stack(guesses))
        return NoisySequence(self._tensor(ids), Noisy(*(self._tensor(array) for array in arrays)), block, 0.0)

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self.device)
