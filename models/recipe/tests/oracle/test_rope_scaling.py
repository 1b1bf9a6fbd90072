from __future__ import annotations

import json
from pathlib import Path

import torch

from recipe.oracle.rope_scaling import CASES, FIXTURES, write_cases


def test_stored_cases_are_what_transformers_makes(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    write_cases(tmp_path / "cases.json")
    made, stored = (json.loads(path.read_text())["cases"] for path in (tmp_path / "cases.json", FIXTURES / "rope-scaling.json"))
    assert list(made) == list(stored) == list(CASES)
    for name, case in made.items():
        other = stored[name]
        assert (case["ids"], case["changes"]) == (other["ids"], other["changes"])
        torch.testing.assert_close(torch.tensor(case["frequencies"]), torch.tensor(other["frequencies"]))
        torch.testing.assert_close(torch.tensor(case["logits"]), torch.tensor(other["logits"]), atol=2e-4, rtol=0)


def test_every_case_is_another_model() -> None:
    stored = json.loads((FIXTURES / "rope-scaling.json").read_text())["cases"]
    plain = [1e4 ** (-2 * pair / 16) for pair in range(8)]
    tables = [tuple(round(value, 9) for value in [*case["frequencies"], case["magnitude"]]) for case in stored.values()]
    assert all(case["frequencies"] != plain or case["magnitude"] != 1 for case in stored.values())
    # Four say the same in other words: by a default, or by a field that goes before another.
    assert len(set(tables)) == len(tables) - 4
