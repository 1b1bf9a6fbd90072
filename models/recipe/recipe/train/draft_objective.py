"""The loss of draft windows: each mask row is to write what the frozen verifier would write there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recipe.model.llama import Llama
from recipe.model.window_attention import DraftWindows, windows_hidden
from recipe.train.draft_states import MOST_MASKS, branch_first, on_branch, row_weights
from recipe.train.objective import Head, clean_half, probabilities


@dataclass(frozen=True)
class DraftLosses:
    """Loss of one text's windows; the plain numbers are for the log."""

    total: Tensor
    agreement: list[float]  # by place in the window, of rows on the branch; nan where there is none
    branch_share: float  # of the rows


class TargetLoss(torch.autograd.Function):
    """Frozen head and weighted cross-entropy in one step, with the gradient in closed form, as HeadLoss."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, labels: Tensor, share: Tensor, absent: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """rows [R, d], weight [C, d], labels [R] in 0..C-1, share [R] -> (loss, whether each row's best id is its label [R]).

        absent [R, n]: which of the last n ids do not compete for a row.
        """
        p = probabilities(rows, weight, absent)
        at = torch.arange(len(labels), device=rows.device)
        right = p.argmax(-1) == labels
        loss = -(share * p[at, labels].clamp_min(1e-30).log()).sum()
        p[at, labels] -= 1
        ctx.save_for_backward(((p.to(weight.dtype) @ weight) * share[:, None]).to(rows.dtype))
        ctx.mark_non_differentiable(right)
        return loss, right

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return grads[0] * ctx.saved_tensors[0], None, None, None, None


@torch.no_grad()
def greedy_columns(clean: Tensor, weight: Tensor) -> Tensor:
    """[L]: the best row of the head [C, d] after each clean state [L, d]."""
    return (clean @ weight.T).argmax(-1)


def windows_loss(
    model: Llama, head: Head, ids: Tensor, windows: DraftWindows, decay: float, off_branch: float, count: int | None = None
) -> DraftLosses:
    """Loss of the windows over one text ids [L], or of `count` of them by branch_first.

    The row at position p is to write the verifier's choice after p.

    The clean half is the verifier: it has no gradient, and is context, target and branch in one forward.
    """
    clean, kept = clean_half(model, ids, through_clean=False)
    weight, names, _ = head.candidates(ids)
    columns = greedy_columns(clean, weight)
    if count is not None:
        windows = branch_first(ids, names[columns], windows, count)
    branch = on_branch(ids, names[columns], windows)
    counts = row_weights(windows, branch, decay, off_branch)
    hidden = windows_hidden(model, windows, kept)
    total, right = TargetLoss.apply(hidden, weight, columns[windows.position], counts / counts.sum())  # type: ignore[no-untyped-call]
    agreement = [float(right[branch & (windows.offset == place)].float().mean()) for place in range(MOST_MASKS)]
    return DraftLosses(total, agreement, float(branch.float().mean()))
