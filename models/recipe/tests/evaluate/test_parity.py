from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from recipe.evaluate import parity
from recipe.evaluate.parity import compare
from recipe.paths import RECIPE_ROOT, REPOSITORY_ROOT

FIXTURES = REPOSITORY_ROOT / "test" / "fixtures"

needs_node = pytest.mark.skipif(
    not (REPOSITORY_ROOT / "node_modules").exists(), reason="the engine runs on Node: npm ci in the repository's root first"
)


def run(checkpoint: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "recipe", "parity", str(checkpoint), *arguments]
    return subprocess.run(command, cwd=RECIPE_ROOT, capture_output=True, text=True)


def test_a_comparison_by_hand() -> None:
    reference = torch.tensor([[0.0, 1.0, 2.0], [3.0, 1.0, 0.0], [0.0, 0.5, 0.25]])
    same = compare(reference, reference)
    assert (same.largest, same.agreement, same.kl, same.first, same.margin) == (0, 1, 0, None, None)
    assert same.exact
    other = reference.clone()
    other[2] = torch.tensor([0.0, 0.25, 0.5])
    found = compare(reference, other)
    assert (found.largest, found.first, found.margin) == (0.25, 2, 0.25)
    assert found.agreement == pytest.approx(2 / 3)
    logs = torch.tensor([0.0, 0.5, 0.25]).double().log_softmax(-1)
    assert found.kl == pytest.approx(float((logs.exp() * (logs - other[2].double().log_softmax(-1))).sum() / 3))
    assert not found.exact
    # A shift of all logits changes no probability, and is a difference all the same.
    assert compare(reference, reference + 0.5).kl == pytest.approx(0, abs=1e-12)
    assert not compare(reference, reference + 0.5).exact


@needs_node
@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("tiny-llama", []),
        ("tiny-qwen2", []),
        ("tiny-qwen3", []),
        ("families/sdar", []),
        ("families/dream", []),
        ("families/fast-dllm-v2", []),
        ("families/open-dcoder", ["--", "--family", "open-dcoder"]),
    ],
)
def test_a_conversion_without_rounding_has_parity(name: str, flags: list[str]) -> None:
    done = run(FIXTURES / name, *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tokenizer   the same ids" in done.stdout
    assert "over 200 positions" in done.stdout
    assert done.stdout.endswith("parity      yes\n")


@needs_node
def test_rounded_weights_have_figures_instead() -> None:
    done = run(FIXTURES / "tiny-llama", "--dtype", "int4", "--positions", "96")
    assert done.returncode == 0, done.stderr
    figures = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[-5:])
    assert 0.3 < float(figures["agreement"].split()[0]) < 1
    assert float(done.stdout.split("mean KL")[1].split()[0]) > 1e-4
    assert "margin" in figures["divergence"]
    assert "parity" not in figures


@needs_node
def test_other_weights_are_no_parity() -> None:
    """The converter merges an adapter that transformers does not see."""
    done = run(FIXTURES / "tiny-llama", "--", "--adapter", str(FIXTURES / "adapters" / "attention"))
    assert done.returncode == 1
    assert "parity      NO" in done.stdout
    assert "Traceback" not in done.stderr


@needs_node
def test_another_tokenizer_is_no_parity(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    right = parity.token_ids(FIXTURES / "tiny-llama")
    monkeypatch.setattr(parity, "token_ids", lambda checkpoint: [*right[:-1], right[-1] ^ 1])
    monkeypatch.setattr(sys, "argv", ["parity", str(FIXTURES / "tiny-llama"), "--dtype", "int8"])
    with pytest.raises(SystemExit) as stopped:
        parity.main()
    assert stopped.value.code == 1
    assert "OTHER IDS" in capsys.readouterr().out


@needs_node
def test_what_cannot_be_compared_is_a_sentence(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "tiny-llama", tmp_path / "checkpoint")
    config = tmp_path / "checkpoint" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"mlp_bias": True}))
    refused = run(tmp_path / "checkpoint")
    assert refused.returncode == 1
    assert "mlp_bias" in refused.stderr
    (tmp_path / "checkpoint" / "tokenizer.json").unlink()
    missing = run(tmp_path / "checkpoint")
    assert missing.returncode == 1
    assert "has no tokenizer.json" in missing.stderr
    assert "Traceback" not in refused.stderr + missing.stderr
