"""A deterministic, resumable order of training windows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Windows:
    """Windows of `length` tokens over the concatenated packages, in an order that depends on the seed alone.

    Every epoch cuts at a new offset and visits every window once. `window(i)` needs no state, so a run resumes from one number.
    """

    def __init__(self, parts: Iterable[NDArray[np.uint16]], length: int, seed: int) -> None:
        self.tokens = np.concatenate(list(parts))
        self.length = length
        self.seed = seed
        self.per_epoch = (len(self.tokens) - length) // length
        assert self.per_epoch > 0, "the corpus is shorter than one sequence"
        self._epoch = -1
        self._order = np.zeros(0, dtype=np.int64)
        self._offset = 0

    def most_frequent(self, count: int) -> Tensor:
        """The `count` most frequent ids, sorted."""
        frequency = np.bincount(self.tokens)
        return torch.from_numpy(np.sort(np.argsort(-frequency, kind="stable")[:count]))

    def window(self, index: int, left: int = 0) -> NDArray[np.int64]:
        """The index-th window of the run, ids [left + length]: up to `left` tokens before it come first, if there are any."""
        epoch, slot = divmod(index, self.per_epoch)
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self._epoch, self._order, self._offset = epoch, rng.permutation(self.per_epoch), int(rng.integers(self.length))
        start = self._offset + int(self._order[slot]) * self.length
        return self.tokens[max(0, start - left) : start + self.length].astype(np.int64)
