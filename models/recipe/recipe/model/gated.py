"""Low-rank adapters that act on mask rows alone: the drafts of a model whose own text stays as it is.

A clean row passes the frozen matrices only, so the text that verification accepts is the base's own, bit for bit, whatever the
adapters have learned. Gated adapters: Samragh et al. 2025, arXiv 2507.11851.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from recipe.model.llama import Attend, Llama
from recipe.model.lora import LowRank, adapter_shape, load_adapter, replace_adapted

RANK = 16
SCALE = 2.0

_mask_rows: ContextVar[Tensor | None] = ContextVar("mask_rows", default=None)
"""[B, S] of the forward that runs in this thread, true = the row is a mask; None: none is."""


@dataclass
class Gate:
    """The mask rows of a model that one thread runs. torch.compile reads a plain attribute, and no ContextVar."""

    rows: Tensor | None = None


class GatedLinear(LowRank):
    """y = W x + m * scale * B A x, with m = 1 on mask rows, 0 elsewhere."""

    gate: Gate | None = None

    def forward(self, x: Tensor) -> Tensor:
        base: Tensor = self.base(x)
        rows = _mask_rows.get() if self.gate is None else self.gate.rows
        if rows is None:
            return base
        low = F.linear(x, self.lora_a)
        # A clean row adds an exact zero to its product with W.
        low = (low * rows[..., None].to(low.dtype)).flatten(0, -2)
        return torch.addmm(base.flatten(0, -2), low, self.lora_b.T.to(low.dtype), alpha=self.scale).view(base.shape)


class GatedLlama(Llama):
    """A Llama whose adapted matrices know which rows are masks."""

    gate: Gate | None = None

    def share_gate(self) -> None:
        """From now on one thread runs this model, and it can be compiled."""
        self.gate = Gate()
        for module in self.modules():
            if isinstance(module, GatedLinear):
                module.gate = self.gate

    def clean_hidden(self, ids: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """`hidden` of ids without a mask, which is not looked for."""
        return super().hidden(ids, positions, attend)

    def hidden(self, ids: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        rows = torch.eq(ids, self.mask_id)  # type: ignore[arg-type]
        if self.gate:
            # Whether there is a mask at all is not asked: a GPU would have to be waited for.
            self.gate.rows = rows
            try:
                return super().hidden(ids, positions, attend)
            finally:
                self.gate.rows = None
        token = _mask_rows.set(rows if bool(rows.any()) else None)
        try:
            return super().hidden(ids, positions, attend)
        finally:
            _mask_rows.reset(token)


def add_gated_adapters(base: Llama, rank: int = RANK, scale: float = SCALE) -> GatedLlama:
    """The model with frozen weights, shared with `base`, and with adapters: 4.9M numbers for SmolLM2-135M at rank 16.

    Nothing else is trained. The mask's embedding is a frozen row too: a merged base has learned it already.
    """
    assert base.mask_id is not None
    assert base.mask_embedding is None, "merge the base's own adapter first"
    with torch.device("meta"):
        model = GatedLlama(base.config, base.mask_id)
    model.load_state_dict(base.state_dict(), assign=True)
    model.requires_grad_(False)
    replace_adapted(model, lambda linear: GatedLinear(linear, rank, scale))
    return model


def load_gated(base: Llama, path: Path) -> GatedLlama:
    """`base` with the adapter of a file. Raises ValueError if it belongs to another model."""
    rank, scale = adapter_shape(path)
    model = add_gated_adapters(base, rank, scale)
    load_adapter(model, path)
    return model
