from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from recipe.data.tokenizer import END_OF_TEXT
from recipe.model.batch_attention import Sight, causal_sight, flex, plain
from recipe.model.gated import GatedLlama, add_gated_adapters
from recipe.model.llama import Llama, compile_layers
from recipe.model.lora import adapter_state, add_adapters
from recipe.model.window_attention import DraftWindows
from recipe.train.batch import collate, document_starts
from recipe.train.batch_objective import batch_loss, noisy_sight
from recipe.train.draft_batch import WindowBatch, windows_batch_loss
from recipe.train.draft_objective import windows_loss
from recipe.train.draft_states import draw_windows
from recipe.train.noise import draw_mask
from recipe.train.objective import Head, Noisy, mask_noise, sequence_loss
from recipe.train.sequences import NoisySequence
from tests.conftest import TINY_MASK
from tests.cycle import FIRST, ROUND, cycle_model

LENGTH, DRAWS, SOFT = 32, 2, 0.5


def learner(tiny: Llama) -> Llama:
    """An adapter that is not the identity."""
    model = add_adapters(tiny, rank=2)
    torch.manual_seed(6)
    for tensor in adapter_state(model).values():
        tensor.add_(0.1 * torch.randn(tensor.shape))
    return model


def head_of(model: Llama) -> Head:
    """Some of a text's ids are beside its common ones."""
    return Head(model.embed_tokens.weight.detach(), torch.tensor([1, TINY_MASK, *range(6, 30)]), TINY_MASK)


def sequence(seed: int, block: int, causal: float = 0.0, edits: bool = False, ids: Tensor | None = None) -> NoisySequence:
    rng = np.random.default_rng(seed)
    if ids is None:
        ids = torch.from_numpy(rng.integers(4, 40, LENGTH))
    masks = torch.from_numpy(np.stack([draw_mask(len(ids), block, rng) for _ in range(DRAWS)]))
    noisy = mask_noise(ids, masks, block, TINY_MASK, right_weight=3.0)
    if edits:
        wrong = torch.from_numpy(rng.random(noisy.ids.shape) < 0.2) & ~masks
        noisy_ids = torch.where(wrong, torch.from_numpy(rng.integers(4, 40, noisy.ids.shape)), noisy.ids)
        inside = (torch.arange(len(ids)) % block != 0).float()
        own = torch.from_numpy(rng.integers(1, 4, noisy.ids.shape) * (rng.random(noisy.ids.shape) < 0.1)) * inside.long() * ~masks
        noisy = Noisy(noisy_ids, (0.2 + 0.8 * masks) * inside, own)
    importance = torch.from_numpy(rng.choice([1.0, 4.0], len(ids)).astype(np.float32))
    return NoisySequence(ids, noisy, block, causal, importance)


def alone(model: Llama, head: Head, one: NoisySequence) -> tuple[Tensor, dict[str, float]]:
    """The loss as one text per core computes it."""
    found = sequence_loss(model, head, one.ids, one.noisy, one.block, SOFT, one.causal_weight, one.importance)
    names = {"masked_ce": found.masked, "causal_ce": found.causal, "masked_accuracy": found.masked_accuracy}
    return found.total, names | {"corrected": found.corrected, "kept": found.kept}


def gradients(model: Llama, loss: Tensor) -> list[Tensor]:
    trained = [p for p in model.parameters() if p.requires_grad]
    return list(torch.autograd.grad(loss, trained, allow_unused=True, materialize_grads=True))


@pytest.mark.parametrize("edits", [False, True])
@pytest.mark.parametrize("causal", [0.0, 0.7])
def test_a_batch_of_one_has_the_loss_of_before(tiny: Llama, causal: float, edits: bool) -> None:
    model = learner(tiny)
    head = head_of(model)
    one = sequence(1, 4, causal, edits)
    expected, numbers = alone(model, head, one)
    found = batch_loss(model, head, collate([one], head.common, TINY_MASK), SOFT)
    torch.testing.assert_close(found["loss"], expected, atol=1e-5, rtol=1e-5)
    if not causal:
        # Before, the log had the causal rows that teach a masked one; a batch has them all.
        numbers["causal_ce"] = alone(model, head, replace(one, causal_weight=1.0))[1]["causal_ce"]
    assert {name: float(found[name]) for name in numbers} == pytest.approx(numbers, rel=1e-5, nan_ok=True)
    assert (not np.isnan(numbers["kept"])) == edits
    for ours, theirs in zip(gradients(model, found["loss"]), gradients(model, expected), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_a_batch_is_the_mean_of_its_texts_whatever_their_blocks(tiny: Llama) -> None:
    model = learner(tiny)
    head = head_of(model)
    # More texts than are held at once.
    texts = [sequence(seed, (4, 8, 16, 32)[seed % 4], float(seed % 3 == 0), seed % 2 == 0) for seed in range(10)]
    expected = torch.stack([alone(model, head, one)[0] for one in texts]).mean()
    found = batch_loss(model, head, collate(texts, head.common, TINY_MASK), SOFT)["loss"]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    for ours, theirs in zip(gradients(model, found), gradients(model, expected), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def packed(ids: Tensor, *documents: NoisySequence) -> NoisySequence:
    """Documents side by side in one text."""
    versions, weights = (torch.cat([getattr(d.noisy, name) for d in documents], 1) for name in ("ids", "weight"))
    importance = torch.cat([d.importance for d in documents if d.importance is not None])
    return NoisySequence(ids, Noisy(versions, weights), documents[0].block, documents[0].causal_weight, importance)


@pytest.mark.parametrize("causal", [0.0, 1.0])
def test_a_packed_text_has_the_losses_of_its_documents_apart(tiny: Llama, causal: float) -> None:
    model = learner(tiny)
    head = Head.whole(model)
    text = torch.from_numpy(np.random.default_rng(3).integers(4, 40, LENGTH))
    text[[15, 23]] = END_OF_TEXT
    documents = [sequence(seed, 4, causal, ids=text[a:b]) for seed, (a, b) in enumerate([(0, 16), (16, 24), (24, 32)])]
    # Without soft targets or with them: each position's loss is that of its document, so the means follow from the counts.
    parts = [alone(model, head, replace(one, causal_weight=0.0))[0] for one in documents]
    counts = torch.stack([(one.noisy.weight * one.importance).sum() for one in documents if one.importance is not None])
    expected = (torch.stack(parts) * counts).sum() / counts.sum()
    if causal:
        both = [alone(model, head, one)[0] for one in documents]
        clean = torch.stack([one.importance[1:].sum() for one in documents if one.importance is not None])
        expected = expected + ((torch.stack(both) - torch.stack(parts)) * clean).sum() / clean.sum()
    together = packed(text, *documents)
    found = batch_loss(model, head, collate([together], head.common, TINY_MASK, apart=True), SOFT)["loss"]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    if not causal:
        for ours, theirs in zip(gradients(model, found), gradients(model, expected), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)
    joined = batch_loss(model, head, collate([together], head.common, TINY_MASK), SOFT)["loss"]
    assert abs(float((joined - found).detach())) > 1e-3, "attention across documents changes nothing here"


def test_who_sees_whom_where_a_document_begins_inside_a_block() -> None:
    ids = torch.full((1, 12), 9)
    ids[0, 5] = END_OF_TEXT
    assert document_starts(ids).tolist() == [[0] * 6 + [6] * 6]
    one = NoisySequence(ids[0], Noisy(ids.repeat(2, 1), torch.ones(2, 12)), 4, 1.0)
    batch = collate([one], torch.arange(1, 20), TINY_MASK, apart=True)
    mask = noisy_sight(batch).mask(12)[0]
    for row in range(24):
        version, position = divmod(row, 12)
        document = position >= 6
        clean = [key for key in range(12) if key < position // 4 * 4 and (key >= 6) == document]
        block = [p for p in range(12) if p // 4 == position // 4 and (p >= 6) == document]
        assert mask[row].nonzero()[:, 0].tolist() == clean + [12 + version * 12 + p for p in block]
    causal = causal_sight(batch.document).mask(12)[0]
    assert [int(row.sum()) for row in causal] == [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]
    # The first token of the second document is predicted from no other document.
    assert batch.weight[0, 0].tolist() == [0.0] + [1.0] * 5 + [0.0] + [1.0] * 5
    assert batch.importance[0].tolist() == [0.0] + [1.0] * 5 + [0.0] + [1.0] * 5


@torch.no_grad()
def test_flex_attention_equals_the_plain_mask() -> None:
    torch.manual_seed(0)
    texts = [sequence(seed, 4) for seed in range(2)]
    batch = collate(texts, torch.arange(40), TINY_MASK)
    for sight in (noisy_sight(batch), causal_sight(batch.document), Sight(*(torch.zeros(2, 5).long() + n for n in (0, 7)))):
        rows = sight.since.shape[1]
        keys = LENGTH if sight.group is None else LENGTH + rows
        q, k, v = torch.randn(2, 4, rows, 16), torch.randn(2, 2, keys, 16), torch.randn(2, 2, keys, 16)
        torch.testing.assert_close(flex(sight, LENGTH)(q, k, v), plain(sight, LENGTH)(q, k, v), atol=1e-5, rtol=1e-4)


def test_a_step_mixes_no_devices_and_never_waits_for_its_device(tiny: Llama) -> None:
    """On a device without values, `meta`: whatever reads a value, or takes a tensor of the processor, raises an error."""
    meta = torch.device("meta")
    batch = collate([sequence(seed, 4, float(seed), edits=True) for seed in range(2)], torch.arange(4, 30), TINY_MASK)
    assert batch.guesses
    assert len(batch.columns.rare)
    model = learner(tiny)
    head = head_of(model)
    head.common, head.weight, head.frozen_rows = head.common.to(meta), head.weight.to(meta), head.rows.to(meta)
    model.to(meta)
    found = batch_loss(model, head, batch.to(meta), SOFT)
    assert {value.device for value in found.values()} == {meta}
    assert all(gradient.device == meta for gradient in gradients(model, found["loss"]))
    with pytest.raises(RuntimeError, match="meta"):
        float(found["loss"].detach())
    with pytest.raises(RuntimeError, match="meta"):
        batch_loss(model, head, replace(batch.to(meta), block=batch.block), SOFT)


def counted_graphs() -> tuple[list[torch.fx.GraphModule], Callable[..., object]]:
    """A list, and a backend of torch.compile that appends every graph to it and runs it as it is."""
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    return graphs, backend


def test_compiled_layers_share_a_few_graphs_and_change_nothing(tiny: Llama) -> None:
    model = learner(tiny)
    head = head_of(model)
    batch = collate([sequence(seed, 8) for seed in range(2)], head.common, TINY_MASK)
    expected = batch_loss(model, head, batch, SOFT)["loss"]
    graphs, backend = counted_graphs()
    compile_layers(model, backend)
    found = batch_loss(model, head, batch, SOFT)["loss"]
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
    # Parts before and after attention, of clean rows without a gradient and of noisy ones with it: for all layers together.
    assert len(graphs) == 4
    assert batch_loss(model, head, batch, SOFT)["loss"] == found
    assert len(graphs) == 4


def gated(base: Llama) -> GatedLlama:
    """Adapters that are not the identity."""
    model = add_gated_adapters(base, rank=2)
    torch.manual_seed(5)
    for tensor in adapter_state(model).values():
        tensor.copy_(0.2 * torch.randn(tensor.shape))
    return model


@pytest.mark.parametrize("count", [None, 7])
def test_windows_over_a_batch_have_the_mean_loss_of_its_texts(count: int | None) -> None:
    model = gated(cycle_model(60))
    head = head_of(model)
    texts = []
    for seed in range(3):
        ids = FIRST + (seed + torch.arange(LENGTH)) % ROUND
        ids[[6 + seed, 17, 18]] = 30 + seed  # the verifier would not have written these
        texts.append(sequence(seed, 4, ids=ids))
    drawn = [draw_windows(LENGTH, 20, np.random.default_rng(seed)) for seed in range(3)]
    alone = [windows_loss(model, head, one.ids, windows, 0.8, 0.1, count) for one, windows in zip(texts, drawn, strict=True)]
    expected = torch.stack([one.total for one in alone]).mean()
    batch = collate(texts, head.common, TINY_MASK)
    assert len(batch.columns.rare)
    found = windows_batch_loss(model, head, batch, WindowBatch.of(drawn), 0.8, 0.1, count)
    torch.testing.assert_close(found["loss"], expected, atol=1e-5, rtol=1e-5)
    for ours, theirs in zip(gradients(model, found["loss"]), gradients(model, expected), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)
    assert 0.2 < float(found["on_branch"]) < 1
    # One thread, a gate in plain sight and compiled layers: the same.
    model.share_gate()
    graphs, backend = counted_graphs()
    compile_layers(model, backend)
    again = windows_batch_loss(model, head, batch, WindowBatch.of(drawn), 0.8, 0.1, count)
    torch.testing.assert_close(again["loss"], expected, atol=1e-5, rtol=1e-5)
    # The first layer's input has no gradient here, because the embedding is frozen.
    assert len(graphs) == 6


def test_windows_stay_in_their_documents(tiny: Llama) -> None:
    model = gated(tiny)
    head = Head.whole(model)
    text = torch.from_numpy(np.random.default_rng(3).integers(4, 40, LENGTH))
    text[15] = END_OF_TEXT
    batch = collate([sequence(0, 4, ids=text)], head.common, TINY_MASK, apart=True)
    # All of the second document's windows, and one that would cross into it and counts nothing there.
    windows = DraftWindows(torch.tensor([16, 17, 20, 25]), torch.tensor([3, 2, 3, 1]))
    inside = DraftWindows(windows.start[1:] - 16, windows.length[1:])
    expected = windows_loss(model, head, text[16:], inside, 0.8, 0.1).total
    found = windows_batch_loss(model, head, batch, WindowBatch.of([windows]), 0.8, 0.1)["loss"]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_windows_mix_no_devices_and_never_wait_for_theirs(tiny: Llama) -> None:
    meta = torch.device("meta")
    model = gated(tiny)
    head = head_of(model)
    head.common, head.weight, head.frozen_rows = head.common.to(meta), head.weight.to(meta), head.rows.to(meta)
    batch = collate([sequence(seed, 4) for seed in range(2)], torch.arange(4, 30), TINY_MASK)
    drawn = WindowBatch.of([draw_windows(LENGTH, 20, np.random.default_rng(seed)) for seed in range(2)])
    model.to(meta).share_gate()
    found = windows_batch_loss(model, head, batch.to(meta), drawn.to(meta), 0.8, 0.1, 7)
    assert {value.device for value in found.values()} == {meta}
    assert all(gradient.device == meta for gradient in gradients(model, found["loss"]))
