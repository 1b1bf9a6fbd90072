from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from recipe.model import attention
from recipe.model.llama import Attend, Llama
from recipe.model.lora import adapter_state, add_adapters
from recipe.train.noise import draw_mask
from recipe.train.objective import Head, HeadLoss, Noisy, Targets, clean_half, mask_noise, seen_later, sequence_loss, with_own_guesses

MASK = 3
LENGTH, BLOCK = 16, 4


def plain_loss(
    clean: Tensor,
    noisy: Tensor,
    weight: Tensor,
    clean_labels: Tensor,
    noisy_labels: Tensor,
    teacher: Tensor,
    soft: Tensor,
    importance: Tensor,
    clean_importance: Tensor,
    causal_weight: float,
    hidden: Tensor,
) -> Tensor:
    """The same loss through autograd; `hidden` ids [H] never compete in a softmax."""
    hide = torch.zeros(len(weight)).index_fill(0, hidden, -1e9)
    clean_logits, noisy_logits = clean @ weight.T + hide, noisy @ weight.T + hide
    target = clean_logits.detach().softmax(-1)[teacher]
    hard = F.cross_entropy(noisy_logits, noisy_labels, reduction="none")
    softened = -(target * noisy_logits.log_softmax(-1)).sum(-1)
    mixed = ((1 - soft) * hard + soft * softened) * importance
    causal = F.cross_entropy(clean_logits, clean_labels, reduction="none")
    return mixed.sum() / importance.sum() + causal_weight * (causal * clean_importance).sum() / clean_importance.sum()


@pytest.mark.parametrize("causal_weight", [0.0, 0.5])
@pytest.mark.parametrize("soft", [[0.0] * 3, [0.5] * 3, [1.0] * 3, [0.0, 0.5, 0.2]])
@pytest.mark.parametrize("importance", [[1.0] * 3, [1.0, 0.2, 3.0]])
@pytest.mark.parametrize("clean_importance", [[1.0] * 5, [1.0, 4.0, 4.0, 1.0, 0.0]])
def test_closed_form_loss_and_gradient(
    soft: list[float], importance: list[float], clean_importance: list[float], causal_weight: float
) -> None:
    torch.manual_seed(0)
    weight = torch.randn(20, 6, requires_grad=True)
    labels = (torch.randint(4, 20, (5,)), torch.randint(4, 20, (3,)), torch.tensor([0, 2, 4]))
    weights = (torch.tensor(soft), torch.tensor(importance), torch.tensor(clean_importance))
    results = []
    for closed in (True, False):
        torch.manual_seed(1)
        clean, noisy = torch.randn(5, 6, requires_grad=True), torch.randn(3, 6, requires_grad=True)
        if closed:
            share, clean_share = weights[1] / weights[1].sum(), causal_weight * weights[2] / weights[2].sum()
            to = Targets(*labels, weights[0], share, clean_share if causal_weight else None)
            total, _, hard, right = HeadLoss.apply(clean, noisy, weight, to)  # type: ignore[no-untyped-call]
            assert hard.tolist() == pytest.approx(F.cross_entropy(noisy @ weight.T, labels[1], reduction="none").tolist(), rel=1e-4)
            assert right.tolist() == ((noisy @ weight.T).argmax(-1) == labels[1]).tolist()
        else:
            total = plain_loss(clean, noisy, weight, *labels, *weights, causal_weight, torch.tensor([], dtype=torch.long))
        results.append((total, *torch.autograd.grad(total, (clean, noisy, weight))))
    for ours, reference in zip(*results, strict=True):
        torch.testing.assert_close(ours, reference)


def test_mask_noise_by_hand() -> None:
    # Two blocks of four; masked 4 is a block's first: the causal half decides it.
    mask = torch.tensor([[0, 1, 0, 1, 1, 0, 1, 1], [0, 0, 1, 0, 0, 1, 0, 0]]).bool()
    noisy = mask_noise(torch.arange(10, 18), mask, 4, MASK)
    assert noisy.ids.tolist() == [[10, 3, 12, 3, 3, 15, 3, 3], [10, 11, 3, 13, 14, 3, 16, 17]]
    assert noisy.weight.tolist() == [[0, 1, 0, 1, 0, 0, 1, 1], [0, 0, 1, 0, 0, 1, 0, 0]]


def test_positions_with_a_visible_token_after_them_count_more() -> None:
    mask = torch.tensor([[0, 1, 0, 1, 1, 0, 1, 1], [0, 0, 1, 0, 0, 1, 0, 0]]).bool()
    noisy = mask_noise(torch.arange(10, 18), mask, 4, MASK, right_weight=2.0)
    assert noisy.weight.tolist() == [[0, 2, 0, 1, 0, 0, 1, 1], [0, 0, 2, 0, 0, 2, 0, 0]]
    assert seen_later(~mask, 4).int().tolist() == [[1, 1, 0, 0, 1, 0, 0, 0], [1, 1, 1, 0, 1, 1, 1, 0]]


def test_the_head_adds_the_ids_of_the_text_and_never_the_mask(tiny: Llama) -> None:
    head = Head(tiny.embed_tokens.weight.detach(), torch.tensor([1, MASK, 6, 9]), MASK)
    ids = torch.tensor([9, 20, 1, 5, 39, 20])
    rows, names, column = head.candidates(ids)
    assert names.tolist() == [1, 6, 9, 5, 20, 39]
    assert torch.equal(names[column], ids)
    assert torch.equal(rows, tiny.embed_tokens.weight[[1, 6, 9, 5, 20, 39]])
    assert torch.equal(rows[column], tiny.embed_tokens.weight[ids])
    rows, names, column = head.candidates(torch.tensor([6, 6, 1]))
    assert torch.equal(rows, tiny.embed_tokens.weight[[1, 6, 9]])
    assert names.tolist() == [1, 6, 9]
    assert column.tolist() == [1, 1, 0]


def trained(tiny: Llama) -> Llama:
    """An adapter that is not the identity, so that every trained tensor has a gradient."""
    model = add_adapters(tiny, rank=2)
    for tensor in adapter_state(model).values():
        tensor.add_(0.1 * torch.randn(tensor.shape))
    return model


def detached_clean(attend: Attend) -> Attend:
    """`attend` over [noisy | clean] with no gradient through the clean half's keys and values."""

    def fixed(t: Tensor) -> Tensor:
        return torch.cat([t[:, :, :LENGTH], t[:, :, LENGTH:].detach()], dim=2)

    return lambda q, k, v: attend(q, fixed(k), fixed(v))


def reference_loss(model: Llama, head: Head, ids: Tensor, noisy: Noisy, soft: float, causal_weight: float, counted: Tensor) -> Tensor:
    """One dense forward over [noisy | clean] per version, full softmax, autograd."""
    attend = attention.dense(attention.two_stream_mask(LENGTH, BLOCK))
    if causal_weight == 0:
        attend = detached_clean(attend)
    states, labels, teacher, softs, importance = [], [], [], [], []
    for version, weight in zip(noisy.ids, noisy.weight, strict=True):
        hidden = model.hidden(torch.cat([version, ids])[None], torch.arange(LENGTH).repeat(2), attend)[0]
        at = torch.tensor([i for i in range(LENGTH) if weight[i] > 0])
        states.append(hidden[at - 1])
        labels.append(ids[at])
        teacher.append(at - 1)
        ends = [int(i) // BLOCK * BLOCK + BLOCK for i in at]
        informed = [bool(version[i] == ids[i]) or bool((version[i + 1 : end] != MASK).any()) for i, end in zip(at, ends, strict=True)]
        softs.append(torch.tensor([0.0 if known else soft for known in informed]))
        importance.append(weight[at] * counted[at])
    clean = hidden[LENGTH : 2 * LENGTH - 1]
    allowed = {*head.common.tolist(), *ids.tolist()}
    banned = torch.tensor([i for i in range(len(head.weight)) if i not in allowed])
    weight = model.embed_tokens.weight.detach()
    label, row, share, counts = (torch.cat(part) for part in (labels, teacher, softs, importance))
    return plain_loss(clean, torch.cat(states), weight, ids[1:], label, row, share, counts, counted[1:], causal_weight, banned)


def random_noise(ids: Tensor, draws: int, edits: bool) -> Noisy:
    """Mask noise; with `edits` also wrong visible ids, and a weight at every visible position."""
    masks = torch.stack([torch.from_numpy(draw_mask(LENGTH, BLOCK, np.random.default_rng(seed))) for seed in range(draws)])
    noisy = mask_noise(ids, masks, BLOCK, MASK)
    if not edits:
        return noisy
    wrong = ~masks & (torch.rand(draws, LENGTH) < 0.3)
    changed = torch.where(wrong, (ids - 4 + 7) % 36 + 4, noisy.ids)
    weight = torch.where(masks | wrong, 1.0, 0.2)
    weight[:, ::BLOCK] = 0
    return Noisy(changed, weight)


@pytest.mark.parametrize("edits", [False, True])
@pytest.mark.parametrize("common", [40, 6])
@pytest.mark.parametrize("draws", [1, 2])
@pytest.mark.parametrize("causal_weight", [0.5, 0.0])
@pytest.mark.parametrize("counted", [None, torch.linspace(1, 3, LENGTH)], ids=["alike", "by position"])
def test_loss_and_gradients_equal_the_dense_reference(
    tiny: Llama, counted: Tensor | None, causal_weight: float, draws: int, common: int, edits: bool
) -> None:
    """With a causal weight the gradient reaches the clean half; without, its keys and values are constants."""
    model = trained(tiny)
    head = Head(model.embed_tokens.weight.detach(), torch.arange(common), MASK)
    ids = torch.randint(4, 40, (LENGTH,))
    noisy = random_noise(ids, draws, edits)
    parameters = [p for p in model.parameters() if p.requires_grad]
    losses = sequence_loss(model, head, ids, noisy, BLOCK, 0.5, causal_weight, counted)
    alike = torch.ones(LENGTH)
    expected = reference_loss(model, head, ids, noisy, 0.5, causal_weight, alike if counted is None else counted)
    torch.testing.assert_close(losses.total, expected)
    ours, theirs = (torch.autograd.grad(total, parameters) for total in (losses.total, expected))
    for gradient, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(gradient, reference, atol=1e-6, rtol=1e-4)
        assert reference.abs().max() > 0


def test_the_parts_of_the_loss(tiny: Llama) -> None:
    model = trained(tiny)
    ids = torch.randint(4, 40, (8,))
    mask = torch.tensor([0, 1, 0, 1, 1, 0, 1, 1]).bool()
    losses = sequence_loss(model, Head.whole(model), ids, mask_noise(ids, mask[None], 4, MASK), block=4, soft=0.0, causal_weight=0.5)
    positions = torch.arange(8).repeat(2)
    both = torch.cat([torch.where(mask, MASK, ids), ids])[None]
    logits = model.logits(model.hidden(both, positions, attention.dense(attention.two_stream_mask(8, 4)))[0]).detach()
    logits[:, MASK] = -1e9
    assert losses.masked == pytest.approx(float(F.cross_entropy(logits[[0, 2, 5, 6]], ids[[1, 3, 6, 7]])), rel=1e-4)
    assert losses.causal == pytest.approx(float(F.cross_entropy(logits[8:15], ids[1:])), rel=1e-4)
    assert float(losses.total.detach()) == pytest.approx(losses.masked + 0.5 * losses.causal, rel=1e-4)
    right = (logits[[0, 2, 5, 6]].argmax(-1) == ids[[1, 3, 6, 7]]).float().mean()
    assert losses.masked_accuracy == pytest.approx(float(right))
    assert np.isnan([losses.corrected, losses.kept]).all(), "nothing visible counts"


def test_accuracies_at_visible_positions(tiny: Llama) -> None:
    model = trained(tiny)
    ids = torch.randint(4, 40, (LENGTH,))
    noisy = random_noise(ids, 2, edits=True)
    losses = sequence_loss(model, Head.whole(model), ids, noisy, BLOCK, 0.5, 0.0)
    right: dict[str, list[bool]] = {"masked": [], "wrong": [], "right": []}
    for version, weight in zip(noisy.ids, noisy.weight, strict=True):
        both = torch.cat([version, ids])[None]
        hidden = model.hidden(both, torch.arange(LENGTH).repeat(2), attention.dense(attention.two_stream_mask(LENGTH, BLOCK)))[0]
        logits = model.logits(hidden).detach()
        logits[:, MASK] = -1e9
        for i in np.flatnonzero(weight):
            kind = "masked" if version[i] == MASK else "right" if version[i] == ids[i] else "wrong"
            right[kind].append(bool(logits[i - 1].argmax() == ids[i]))
    assert all(right.values())
    expected = [float(np.mean(right[kind])) for kind in ("masked", "wrong", "right")]
    assert [losses.masked_accuracy, losses.corrected, losses.kept] == pytest.approx(expected)


def test_own_guesses_are_the_best_wrong_ones(tiny: Llama) -> None:
    model = trained(tiny)
    head = Head(model.embed_tokens.weight.detach(), torch.arange(30), MASK)
    ids = torch.randint(4, 40, (LENGTH,))
    own = torch.zeros(2, LENGTH, dtype=torch.long)
    own[0, 5], own[1, 2], own[1, 15] = 1, 3, 2
    clean, _ = clean_half(model, ids, through_clean=False)
    logits = model.logits(clean).detach()
    for token in (MASK, *(i for i in range(30, 40) if i not in ids.tolist())):
        logits[:, token] = -1e9
    expected = ids.repeat(2, 1)
    for draw, position, rank in ((0, 5, 1), (1, 2, 3), (1, 15, 2)):
        order = [i for i in logits[position - 1].argsort(descending=True).tolist() if i != ids[position]]
        expected[draw, position] = order[rank - 1]
    noisy = Noisy(ids.repeat(2, 1), torch.ones(2, LENGTH), own)
    assert torch.equal(with_own_guesses(noisy, head, clean, ids), expected)
    assert torch.equal(noisy.ids, ids.repeat(2, 1)), "the noise itself is left alone"


def test_gradients_survive_mixed_precision_after_a_clean_half_without_gradient(tiny: Llama) -> None:
    """Autocast keeps low-precision copies of weights: one made under no_grad must not be used again with gradients on."""
    model = trained(tiny)
    ids = torch.randint(4, 40, (LENGTH,))
    mask = torch.tensor([False, True, True, True] * 4)
    gradients = []
    for precise in (True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
            losses = sequence_loss(model, Head.whole(model), ids, mask_noise(ids, mask[None], BLOCK, MASK), BLOCK, 0.5, 0.0)
        gradients.append(torch.autograd.grad(losses.total, [p for p in model.parameters() if p.requires_grad], allow_unused=True))
    for exact, rough in zip(*gradients, strict=True):
        assert rough is not None
        assert F.cosine_similarity(exact.flatten(), rough.flatten(), dim=0) > 0.9
