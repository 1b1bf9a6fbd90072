from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from recipe.oracle.families import FAMILIES, STALE, Reference, Reuse, random_model, rounded_quota, specials, write_family
from recipe.paths import REPOSITORY_ROOT

STORED = REPOSITORY_ROOT / "test" / "fixtures" / "families"


@pytest.mark.parametrize("name", FAMILIES)
def test_stored_family_is_what_the_reference_makes(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    write_family(name, tmp_path)
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {path.name for path in (STORED / name).iterdir()}
    for file in files - {"golden.json"}:
        assert (tmp_path / file).read_bytes() == (STORED / name / file).read_bytes(), file
    made, stored = (json.loads((folder / "golden.json").read_text()) for folder in (tmp_path, STORED / name))
    assert made["decodings"] == stored["decodings"]
    for one, other in zip(made["logits"], stored["logits"], strict=True):
        assert one["ids"] == other["ids"]
        torch.testing.assert_close(torch.tensor(one["logits"]), torch.tensor(other["logits"]), atol=2e-4, rtol=0)


@pytest.mark.parametrize("name", FAMILIES)
def test_decodings_cover_what_they_should(name: str) -> None:
    golden = json.loads((STORED / name / "golden.json").read_text())
    block = FAMILIES[name].block or 6
    lengths = {len(case["prompt"]) for case in golden["decodings"]}
    assert lengths == set(range(2 * block + 2))
    assert max(len(offsets) for case in golden["decodings"] for offsets, _ in case["steps"]) > 1
    stopped = [case for case in golden["decodings"] if case["stop"]]
    assert all(len(case["ids"]) < case["maxTokens"] for case in stopped)
    assert len({token for case in golden["decodings"] for token in case["ids"]}) > 10


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.context == "full"])
def test_stale_forwards_are_exact_where_they_should_be_and_nowhere_else(name: str) -> None:
    torch.set_num_threads(1)
    family = FAMILIES[name]
    ref = Reference(random_model(family, 0), specials(family)[family.mask_token], family.shift)
    different = dict.fromkeys(STALE, 0)
    for length in (3, 8, 13):
        prompt = list(range(40, 40 + length))
        exact = family.sampler(ref, prompt, 12, [], block=4)
        for dual in (False, True):
            assert family.sampler(ref, prompt, 12, [], block=4, reuse=Reuse(dual, refresh=1)) == exact
            assert family.sampler(ref, prompt, 12, [], block=1, reuse=Reuse(dual)) == family.sampler(ref, prompt, 12, [], block=1)
        for kind, reuse in STALE.items():
            stale = family.sampler(ref, prompt, 12, [], block=4, reuse=reuse)
            assert stale[0] == exact[0]
            different[kind] += stale != exact
    assert all(different.values())


def test_rounded_quota_by_hand() -> None:
    assert rounded_quota(7, 3) == [2, 2, 3]
    assert rounded_quota(3, 8) == [1, 1, 1]
