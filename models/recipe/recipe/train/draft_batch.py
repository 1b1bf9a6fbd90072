"""The loss of draft windows over a whole batch in one forward: the mean of `draft_objective.windows_loss` over the texts.

Every window takes the rows of the longest one. Rows that a shorter window lacks see the text before it, are seen by none, and count 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recipe.model.attention import Layers
from recipe.model.batch_attention import Sight, by_device, causal_sight, keeping, over
from recipe.model.gated import GatedLlama
from recipe.model.window_attention import DraftWindows
from recipe.train.batch import Batch, moved
from recipe.train.batch_objective import TEXTS, Attention, mean_where, per_text
from recipe.train.draft_objective import TargetLoss
from recipe.train.draft_states import MOST_MASKS
from recipe.train.objective import Head


@dataclass(frozen=True)
class WindowBatch:
    """N windows over each of B texts."""

    start: Tensor  # [B, N], as DraftWindows.start
    length: Tensor  # [B, N], masks

    @staticmethod
    def of(windows: Sequence[DraftWindows]) -> WindowBatch:
        """Equally many windows of each text."""
        return WindowBatch(torch.stack([one.start for one in windows]), torch.stack([one.length for one in windows]))

    def to(self, device: torch.device) -> WindowBatch:
        """The windows on a device."""
        return moved(self, device)

    def branch_first(self, ids: Tensor, greedy: Tensor, count: int) -> WindowBatch:
        """`count` windows of each text, as draft_states.branch_first chooses them."""
        off = ids.gather(1, self.start) != greedy.gather(1, self.start - 1)
        kept = off.long().argsort(dim=1, stable=True)[:, :count]
        return WindowBatch(self.start.gather(1, kept), self.length.gather(1, kept))

    def rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """(position, offset in the window, whether the window has the row), each [B, N * MOST_MASKS]."""
        offset = torch.arange(MOST_MASKS, device=self.start.device).expand(*self.start.shape, -1)
        position = self.start[..., None] + offset
        return position.flatten(1), offset.flatten(1), (offset < self.length[..., None]).flatten(1)

    def sight(self, document: Tensor) -> Sight:
        """A row sees its document before its window, and its window. document [B, L]: first position of each position's document."""
        _, _, present = self.rows()
        texts, windows = self.start.shape
        window = torch.arange(windows, device=self.start.device).repeat_interleave(MOST_MASKS, output_size=windows * MOST_MASKS)
        alone = windows + torch.arange(len(window), device=window.device)
        since = document.gather(1, self.start - 1)
        spread = torch.stack([since, self.start])[..., None].expand(-1, -1, -1, MOST_MASKS).flatten(2)
        return Sight(spread[0], spread[1], torch.where(present, window, alone).expand(texts, -1))


@torch.no_grad()
def greedy_columns(clean: Tensor, weight: Tensor, absent: Tensor) -> Tensor:
    """[B, L]: the best row of the head [C, d] after each clean state [B, L, d]; absent [B, n] as in Columns."""
    best = []
    for start in range(0, len(clean), TEXTS):
        logits = clean[start : start + TEXTS] @ weight.T
        if absent.shape[1]:
            logits[..., -absent.shape[1] :].masked_fill_(absent[start : start + TEXTS, None], float("-inf"))
        best.append(logits.argmax(-1))
    return torch.cat(best)


def windows_batch_loss(
    model: GatedLlama,
    head: Head,
    batch: Batch,
    windows: WindowBatch,
    decay: float,
    off_branch: float,
    count: int | None = None,
    attention: Attention | None = None,
) -> dict[str, Tensor]:
    """`loss`, and for the log `draft2` .. (agreement by position, on the branch) and `on_branch`: scalars on the device.

    The arguments are those of windows_loss. The clean half is the frozen verifier: it has no gradient.
    """
    attention = attention or by_device(batch.ids.device)
    ids, rare = batch.ids, batch.columns.rare
    texts, length = ids.shape
    assert model.mask_id is not None
    names = torch.cat([head.common, rare])
    weight = torch.cat([head.rows, head.weight[rare]]) if len(rare) else head.rows
    kept: Layers = []
    with torch.no_grad():
        sight = causal_sight(batch.document)
        clean = model.clean_hidden(ids, torch.arange(length, device=ids.device), keeping(kept, attention(sight, length)))
    columns = greedy_columns(clean, weight, batch.columns.absent)
    greedy = names[columns]
    if count is not None:
        windows = windows.branch_first(ids, greedy, count)
    position, offset, present = windows.rows()
    before = (windows.start - 1).repeat_interleave(MOST_MASKS, 1, output_size=position.shape[1])
    other = torch.ones_like(ids, dtype=torch.bool)
    other[:, 1:] = ids[:, 1:] != greedy[:, :-1]
    wrong = other.long().cumsum(1)
    branch = wrong.gather(1, position) == wrong.gather(1, before)
    inside = batch.document.gather(1, position) == batch.document.gather(1, before)
    counts = decay ** offset.float() * torch.where(branch, 1.0, off_branch) * (present & inside)
    share = per_text(counts)
    attend = over(kept, attention(windows.sight(batch.document), length))
    hidden = model.hidden(torch.full_like(position, model.mask_id), position, attend)
    labels = columns.gather(1, position)
    total = hidden.new_zeros((), dtype=torch.float32)
    rights = []
    for start in range(0, texts, TEXTS):
        part = slice(start, start + TEXTS)
        spread = batch.columns.absent[part].repeat_interleave(position.shape[1], 0, output_size=labels[part].numel())
        loss, right = TargetLoss.apply(  # type: ignore[no-untyped-call]
            hidden[part].flatten(0, 1), weight, labels[part].flatten(), share[part].flatten(), spread
        )
        total = total + loss
        rights.append(right)
    right, counted = torch.cat(rights).view_as(position), present & inside
    by_place = {f"draft{place + 2}": mean_where(right, counted & branch & (offset == place)) for place in range(MOST_MASKS)}
    return by_place | {"loss": total, "on_branch": mean_where(branch, counted)}
