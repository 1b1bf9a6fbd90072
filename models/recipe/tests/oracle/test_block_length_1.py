from __future__ import annotations

import json

import pytest
import torch

from recipe.oracle.block_length_1 import texts, uniform
from recipe.oracle.families import FAMILIES
from recipe.paths import REPOSITORY_ROOT

STORED = json.loads((REPOSITORY_ROOT / "test" / "fixtures" / "families" / "block-length-1.json").read_text())


def test_every_family_that_attends_in_blocks_has_texts() -> None:
    assert set(STORED) == {name for name, family in FAMILIES.items() if family.context != "full"}


@pytest.mark.parametrize("name", STORED)
def test_stored_texts_are_what_the_reference_decodes(name: str) -> None:
    torch.set_num_threads(1)
    assert texts(FAMILIES[name]) == STORED[name]


def test_uniforms_are_in_range_and_differ() -> None:
    drawn = [uniform(seed, offset) for seed in (0, 7, 2**40 + 3) for offset in range(50)]
    assert all(0 <= value < 1 for value in drawn)
    assert len(set(drawn)) == len(drawn)
