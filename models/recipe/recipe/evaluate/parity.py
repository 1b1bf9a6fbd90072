"""python -m recipe parity CHECKPOINT: converts a checkpoint and compares the engine's logits with those of its own modules.

The reference is transformers' Llama, Qwen2 or Qwen3 in float32 with the checkpoint's weights, under the mask that the converter decided
on. The engine is the one that is served: its kernels, its cache and its tokenizer. Everything after `--` goes to the converter.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from recipe.errors import RecipeError
from recipe.oracle.families import block_causal
from recipe.paths import REPOSITORY_ROOT
from recipe.quick.serve import KERNELS, NODE, require_node

TOLERANCE = 1e-3
"""Largest difference of a logit in float32."""

CORES: dict[str, tuple[Any, Any]] = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
}

TEXT = '''import { readFile } from "node:fs/promises";

/** Words of a file with how often each comes, most frequent first. "Größe", "naïve" and 東京 are words too. */
export async function countWords(path: string, least = 1): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const word of (await readFile(path, "utf8")).toLowerCase().match(/[\\p{L}\\p{N}_']+/gu) ?? []) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return new Map([...counts].filter(([, count]) => count >= least).sort(([, a], [, b]) => b - a));
}

def primes(limit):
    """All primes below limit, by the sieve of Eratosthenes; 2, 3, 5, 7, 11, 13 for 16."""
    sieve = [True] * limit
    for n in range(2, int(limit ** 0.5) + 1):
        if sieve[n]:
            sieve[n * n::n] = [False] * len(range(n * n, limit, n))
    return [n for n in range(2, limit) if sieve[n]]

SELECT c.name, SUM(o.total) AS spent FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.name;
\tif err := json.Unmarshal(body, &result); err != nil {\r\n\t\treturn nil, fmt.Errorf("decode: %w", err)\r\n\t}
'''
"""Code in several languages, comments, digits, tabs, CRLF and letters beyond ASCII."""


@dataclass(frozen=True)
class Comparison:
    """Of logits (N, V): the reference's and the engine's."""

    largest: float
    """Difference of two logits."""
    agreement: float
    """Part of the rows with the same most probable id."""
    kl: float
    """Mean divergence of the engine's distribution from the reference's, in nats."""
    first: int | None
    """The first row whose most probable ids differ."""
    margin: float | None
    """At that row: the reference's best logit less its logit of the engine's id."""

    @property
    def exact(self) -> bool:
        return self.largest <= TOLERANCE and self.first is None


def compare(reference: Tensor, engine: Tensor) -> Comparison:
    ids, others = reference.argmax(-1), engine.argmax(-1)
    logs, other_logs = reference.double().log_softmax(-1), engine.double().log_softmax(-1)
    kl = (logs.exp() * (logs - other_logs)).sum(-1).mean()
    differ = (ids != others).nonzero().flatten().tolist()
    first = differ[0] if differ else None
    margin = None if first is None else float(reference[first, ids[first]] - reference[first, others[first]])
    return Comparison(float((reference - engine).abs().max()), float((ids == others).float().mean()), float(kl), first, margin)


def node(*arguments: str, **settings: str) -> str:
    """What a script of the repository prints, with settings of the server. Raises RecipeError with its message if it fails."""
    environment = {**os.environ, **settings}
    done = subprocess.run([str(NODE), *arguments], cwd=REPOSITORY_ROOT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RecipeError(done.stderr.strip() or done.stdout.strip())
    return done.stdout


@torch.no_grad()
def reference_logits(checkpoint: Path, config: dict[str, Any], ids: list[int]) -> Tensor:
    """(N, V) of ids (N) as committed context of the converted model's `config`."""
    config_type, model_type = CORES[config["architecture"]]
    values = json.loads((checkpoint / "config.json").read_text())
    for field in ("architectures", "model_type", "auto_map", "torch_dtype", "dtype"):
        values.pop(field, None)
    values["tie_word_embeddings"] = config["tieWordEmbeddings"]
    model = model_type.from_pretrained(checkpoint, config=config_type(**values), dtype=torch.float32, attn_implementation="eager").eval()
    length = len(ids)
    allowed = {
        "causal": lambda: torch.ones(length, length, dtype=torch.bool).tril(),
        "block_causal": lambda: block_causal(length, config["blockLength"]),
        "full": lambda: torch.ones(length, length, dtype=torch.bool),
    }[config["contextAttention"]]()
    mask = torch.zeros(length, length).masked_fill(~allowed, torch.finfo(torch.float32).min)
    logits: Tensor = model(
        input_ids=torch.tensor([ids]), attention_mask=mask[None, None], position_ids=torch.arange(length)[None], use_cache=False
    ).logits[0]
    return logits


def token_ids(checkpoint: Path) -> list[int]:
    """Of TEXT, without special tokens."""
    path = checkpoint / "tokenizer.json"
    if not path.exists():
        raise RecipeError(f"{checkpoint} has no tokenizer.json")
    ids: list[int] = Tokenizer.from_file(str(path)).encode(TEXT, add_special_tokens=False).ids
    return ids


def parity(checkpoint: Path, dtype: str, positions: int, flags: list[str]) -> tuple[Comparison, bool]:
    """The comparison, and whether the engine's tokenizer makes the same ids of TEXT."""
    require_node()
    if not KERNELS.exists():
        node("scripts/build-kernels.ts")
    checkpoint = checkpoint.resolve()
    expected = token_ids(checkpoint)
    ids = (expected * (positions // len(expected) + 1))[:positions]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        print(node("src/convert/cli.ts", str(checkpoint), "parity", "--out", temporary, "--dtype", dtype, *flags))
        (folder / "question.json").write_text(json.dumps({"text": TEXT, "ids": ids}))
        # Float weights are compared at the tolerance of floats: KV in 8 bits moves logits by a percent.
        settings = {"ACTIVATIONS": "int16"} if dtype == "f32" else {}
        question = (str(folder / "parity"), str(folder / "question.json"), str(folder / "logits"))
        answer = json.loads(node("scripts/logits.ts", *question, **settings))
        engine = torch.from_numpy(np.fromfile(folder / "logits", dtype=np.float32).reshape(positions, -1))
    return compare(reference_logits(checkpoint, answer["config"], ids), engine), answer["ids"] == expected


def report(found: Comparison, same_ids: bool, dtype: str, positions: int) -> str:
    lines = [
        f"tokenizer   {'the same ids' if same_ids else 'OTHER IDS'} as the Rust library over {len(TEXT)} characters",
        f"logits      largest difference {found.largest:.3g} over {positions} positions",
        f"agreement   {found.agreement:.4f} of the most probable ids",
        f"mean KL     {found.kl:.3g} nats",
        f"divergence  {'none' if found.first is None else f'first at position {found.first}, margin {found.margin:.3g}'}",
    ]
    if dtype == "f32":
        lines.append(f"parity      {'yes' if found.exact and same_ids else f'NO: logits within {TOLERANCE} and equal ids are wanted'}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="a Hugging Face directory")
    parser.add_argument("--dtype", choices=("f32", "int8", "int4"), default="f32", help="of the converted model")
    parser.add_argument("--positions", type=int, default=200)
    parser.add_argument("flags", nargs="*", help="flags of npm run convert, after --")
    arguments = parser.parse_args()
    found, same_ids = parity(arguments.checkpoint, arguments.dtype, arguments.positions, arguments.flags)
    print(report(found, same_ids, arguments.dtype, arguments.positions))
    if not same_ids or (arguments.dtype == "f32" and not found.exact):
        sys.exit(1)
