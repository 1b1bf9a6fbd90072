from __future__ import annotations

import torch

from recipe.train.soup import mixed


def adapter(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {"x.lora_a": torch.randn(4, 12), "x.lora_b": torch.randn(10, 4), "norm.weight": torch.randn(6)}


def product(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return tensors["x.lora_b"] @ tensors["x.lora_a"]


def test_the_ends_are_the_adapters_themselves() -> None:
    first, second = adapter(0), adapter(1)
    for share, whole in ((0.0, first), (1.0, second)):
        between = mixed(first, second, share)
        torch.testing.assert_close(product(between), product(whole))
        torch.testing.assert_close(between["norm.weight"], whole["norm.weight"])


def test_between_them_is_the_nearest_of_the_rank() -> None:
    first, second = adapter(0), adapter(1)
    mean = 0.5 * product(first) + 0.5 * product(second)
    singular = torch.linalg.svdvals(mean)
    error = torch.linalg.norm(product(mixed(first, second, 0.5)) - mean)
    torch.testing.assert_close(error, singular[4:].square().sum().sqrt())


def test_a_matrix_smaller_than_the_rank_keeps_the_shapes() -> None:
    torch.manual_seed(0)
    first, second = ({"x.lora_a": torch.randn(4, 3), "x.lora_b": torch.randn(2, 4)} for _ in range(2))
    between = mixed(first, second, 0.5)
    assert {name: tensor.shape for name, tensor in between.items()} == {name: tensor.shape for name, tensor in first.items()}
    torch.testing.assert_close(product(between), 0.5 * product(first) + 0.5 * product(second))
