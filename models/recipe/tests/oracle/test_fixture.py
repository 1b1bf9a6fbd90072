from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from recipe.model import attention
from recipe.model.llama import Llama, LlamaConfig
from recipe.oracle.fixture import CASES, MASK, VARIANTS, byte_tokenizer, write_fixture


@pytest.mark.parametrize("variant", VARIANTS)
def test_fixture_is_complete_and_reproducible(variant: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    write_fixture(variant, tmp_path / "a")
    write_fixture(variant, tmp_path / "b")
    for name in ("config.json", "golden.json", "tokenizer.json", "model.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    cases = json.loads((tmp_path / "a" / "golden.json").read_text())["cases"]
    assert [(case["commit"], len(case["ids"]) - case["commit"]) for case in cases] == list(CASES)
    spread = torch.tensor(cases[-2]["logits"]).std()
    assert 0.5 < spread < 10


def test_own_forward_agrees_with_the_llama_golden(tmp_path: Path) -> None:
    write_fixture("tiny-llama", tmp_path)
    model = Llama(LlamaConfig(64, 96, 2, 4, 2, 16, 264, 1e4, 1e-5, 256))
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in load_file(tmp_path / "model.safetensors").items()})
    for case in json.loads((tmp_path / "golden.json").read_text())["cases"]:
        ids, context = torch.tensor(case["ids"]), case["commit"]
        attend = attention.dense(attention.prefix_block_mask(context, len(ids) - context))
        logits = model.logits(model.hidden(ids[None], torch.arange(len(ids)), attend)[0])
        torch.testing.assert_close(logits, torch.tensor(case["logits"]), atol=1e-3, rtol=1e-4)


def test_byte_tokenizer_round_trip() -> None:
    tokenizer = byte_tokenizer()
    assert tokenizer.get_vocab_size() == 264
    encoding = tokenizer.encode("return é 12<|mask|>")
    assert encoding.ids[-1] == MASK
    assert tokenizer.decode(tokenizer.encode("x = [é, '漢']").ids) == "x = [é, '漢']"
    assert "in" in tokenizer.encode("in").tokens
