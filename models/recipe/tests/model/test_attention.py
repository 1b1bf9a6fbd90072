from __future__ import annotations

import pytest
import torch

from recipe.model import attention
from recipe.model.llama import Llama

# Two blocks of two: noisy rows 0..3, clean rows 4..7. Worked by hand from the definition.
TWO_BLOCKS_OF_TWO = """
11......
11......
..1111..
..1111..
....1...
....11..
....111.
....1111
"""


def parse(drawing: str) -> torch.Tensor:
    return torch.tensor([[c == "1" for c in line] for line in drawing.split()])


def test_two_stream_mask_by_hand() -> None:
    assert torch.equal(attention.two_stream_mask(4, 2), parse(TWO_BLOCKS_OF_TWO))


def test_prefix_block_mask_by_hand() -> None:
    assert torch.equal(attention.prefix_block_mask(2, 2), parse("1... 11.. 1111 1111"))
    assert torch.equal(attention.prefix_block_mask(3, 0), torch.ones(3, 3).tril().bool())


@pytest.mark.parametrize("block", [2, 4, 8])
def test_fast_two_stream_equals_the_dense_mask(block: int) -> None:
    torch.manual_seed(block)
    q, k, v = torch.randn(2, 6, 32, 8), torch.randn(2, 2, 32, 8), torch.randn(2, 2, 32, 8)
    dense = attention.dense(attention.two_stream_mask(16, block))(q, k, v)
    torch.testing.assert_close(attention.two_stream(16, block)(q, k, v), dense)


def test_noisy_block_in_training_equals_the_block_at_inference(tiny: Llama) -> None:
    """A noisy row sees what an active block sees after its prefix was committed."""
    ids = torch.randint(4, 40, (12,))
    noisy = ids.clone()
    noisy[9:] = 3
    positions = torch.arange(12).repeat(2)
    training = tiny.hidden(torch.cat([noisy, ids])[None], positions, attention.two_stream(12, 4))[0, 8:12]
    served = tiny.hidden(noisy[None], torch.arange(12), attention.dense(attention.prefix_block_mask(8, 4)))[0, 8:]
    torch.testing.assert_close(training, served)


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize("block", [2, 4, 8])
def test_draws_over_a_kept_clean_half_equal_the_dense_mask(block: int, draws: int) -> None:
    torch.manual_seed(block)
    clean = [torch.randn(1, heads, 16, 8) for heads in (6, 2, 2)]
    noisy = [torch.randn(draws, heads, 16, 8) for heads in (6, 2, 2)]
    kept: attention.Layers = []
    clean_out = attention.causal_keeping(kept)(*clean)
    assert torch.equal(kept[0][0], clean[1])
    assert torch.equal(kept[0][1], clean[2])
    out = attention.over_clean(kept, 16, block)(*noisy)
    dense = attention.dense(attention.two_stream_mask(16, block))
    for draw in range(draws):
        both = [torch.cat([n[draw : draw + 1], c], dim=2) for n, c in zip(noisy, clean, strict=True)]
        expected = dense(*both)
        torch.testing.assert_close(out[draw], expected[0, :, :16])
        torch.testing.assert_close(clean_out, expected[:, :, 16:])
