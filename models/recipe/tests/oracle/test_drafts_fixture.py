from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from recipe.model import attention
from recipe.model.gated import load_gated
from recipe.model.llama import Llama, LlamaConfig
from recipe.oracle.drafts_fixture import write_drafts
from recipe.oracle.fixture import MASK, write_fixture


def test_gated_adapters_agree_with_the_golden(tmp_path: Path) -> None:
    write_fixture("tiny-llama", tmp_path)
    write_drafts("tiny-llama", tmp_path)
    base = Llama(LlamaConfig(64, 96, 2, 4, 2, 16, 264, 1e4, 1e-5, 256), MASK)
    base.load_state_dict({name.removeprefix("model."): tensor for name, tensor in load_file(tmp_path / "model.safetensors").items()})
    model = load_gated(base, tmp_path / "drafts.safetensors")
    for case in json.loads((tmp_path / "drafts-golden.json").read_text())["cases"]:
        ids, context = torch.tensor(case["ids"]), case["commit"]
        attend = attention.dense(attention.prefix_block_mask(context, len(ids) - context))
        with torch.no_grad():
            logits = model.logits(model.hidden(ids[None], torch.arange(len(ids)), attend)[0])
            plain = base.logits(base.hidden(ids[None], torch.arange(len(ids)), attend)[0])
        torch.testing.assert_close(logits, torch.tensor(case["logits"]), atol=1e-3, rtol=1e-4)
        masks = ids == MASK
        if masks.any():
            assert (logits - plain)[masks].abs().max() > 0.1


def test_the_committed_fixture_is_what_the_command_writes(tmp_path: Path) -> None:
    write_drafts("tiny-llama", tmp_path)
    committed = json.loads((Path(__file__).parents[4] / "test/fixtures/tiny-llama/drafts-golden.json").read_text())["cases"]
    for made, kept in zip(json.loads((tmp_path / "drafts-golden.json").read_text())["cases"], committed, strict=True):
        assert made["ids"] == kept["ids"]
        torch.testing.assert_close(torch.tensor(made["logits"]), torch.tensor(kept["logits"]), atol=1e-4, rtol=1e-4)
