from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from recipe.oracle.adapters import ADAPTERS, FIXTURES, write_adapter

STORED = FIXTURES / "adapters"


@pytest.mark.parametrize("name", ADAPTERS)
def test_stored_adapter_is_what_peft_makes(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    write_adapter(name, tmp_path, list(ADAPTERS).index(name))
    made, stored = (load_file(folder / "adapter_model.safetensors") for folder in (tmp_path, STORED / name))
    assert made.keys() == stored.keys()
    for key, tensor in made.items():
        assert torch.equal(tensor, stored[key]), key
    settings, others = (json.loads((folder / "adapter_config.json").read_text()) for folder in (tmp_path, STORED / name))
    assert settings == others
    golden, other = (json.loads((folder / "golden.json").read_text()) for folder in (tmp_path, STORED / name))
    assert golden["changed"].keys() == other["changed"].keys()
    torch.testing.assert_close(torch.tensor(golden["logits"]), torch.tensor(other["logits"]), atol=2e-4, rtol=0)
