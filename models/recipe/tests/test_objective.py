from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from recipe import attention
from recipe.llama import Llama
from recipe.lora import add_adapters
from recipe.objective import CAUSAL_WEIGHT, HeadLoss, predicted_rows, sequence_loss

MASK = 3


def plain_loss(
    clean: Tensor, noisy: Tensor, weight: Tensor, clean_labels: Tensor, noisy_labels: Tensor, teacher: Tensor, soft: float
) -> Tensor:
    """The same loss through autograd."""
    hide = torch.zeros(len(weight)).index_fill(0, torch.tensor([MASK]), -1e9)
    clean_logits, noisy_logits = clean @ weight.T + hide, noisy @ weight.T + hide
    target = clean_logits.detach().softmax(-1)[teacher]
    hard = F.cross_entropy(noisy_logits, noisy_labels)
    softened = -(target * noisy_logits.log_softmax(-1)).sum(-1).mean()
    return (1 - soft) * hard + soft * softened + CAUSAL_WEIGHT * F.cross_entropy(clean_logits, clean_labels)


@pytest.mark.parametrize("soft", [0.0, 0.5, 1.0])
def test_closed_form_loss_and_gradient(soft: float) -> None:
    torch.manual_seed(0)
    weight = torch.randn(20, 6)
    labels = (torch.randint(4, 20, (5,)), torch.randint(4, 20, (3,)), torch.tensor([0, 2, 4]))
    results = []
    for closed in (True, False):
        torch.manual_seed(1)
        clean, noisy = torch.randn(5, 6, requires_grad=True), torch.randn(3, 6, requires_grad=True)
        if closed:
            total, parts = HeadLoss.apply(clean, noisy, weight, *labels, soft, MASK)  # type: ignore[no-untyped-call]
            assert parts.shape == (3,)
        else:
            total = plain_loss(clean, noisy, weight, *labels, soft)
        results.append((total, *torch.autograd.grad(total, (clean, noisy))))
    for ours, reference in zip(*results, strict=True):
        torch.testing.assert_close(ours, reference)


def test_predicted_rows_by_hand() -> None:
    # Two blocks of four.
    mask = torch.tensor([0, 1, 0, 1, 1, 0, 1, 1]).bool()
    # Masked 1, 3, 6, 7 are read one row to the left; masked 4 is a block's first: the causal half decides it.
    assert predicted_rows(mask, 4).tolist() == [0, 2, 5, 6]


def test_sequence_loss_reads_the_right_rows(tiny: Llama) -> None:
    model = add_adapters(tiny, rank=2)
    ids = torch.randint(4, 40, (8,))
    mask = torch.tensor([0, 1, 0, 1, 1, 0, 1, 1]).bool()
    losses = sequence_loss(model, ids, mask, block=4, soft=0.0)
    noisy = torch.where(mask, MASK, ids)
    positions = torch.arange(8).repeat(2)
    hidden = model.hidden(torch.cat([noisy, ids])[None], positions, attention.dense(attention.two_stream_mask(8, 4)))[0]
    logits = model.logits(hidden).detach()
    logits[:, MASK] = -1e9
    assert losses.masked == pytest.approx(float(F.cross_entropy(logits[[0, 2, 5, 6]], ids[[1, 3, 6, 7]])), rel=1e-4)
    assert losses.causal == pytest.approx(float(F.cross_entropy(logits[8:15], ids[1:])), rel=1e-4)
    assert float(losses.total.detach()) == pytest.approx(losses.masked + CAUSAL_WEIGHT * losses.causal, rel=1e-4)
    assert 0 <= losses.masked_accuracy <= 1
