"""python -m recipe golden NAME: writes PyTorch's predictions with the dequantized weights of models/NAME as a fixture for the engine.

The mask token's logit is -inf before softmax and argmax, as in decoding. Every prediction is read from its own row; the
reader of the fixture applies the logit shift.

test/model/golden.test.ts compares the engine with the fixture of the shipped model. For another model, name it:
GOLDEN_MODEL=NAME npx vitest run test/model/golden.test.ts
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from recipe.data.token_files import load_split
from recipe.model import attention
from recipe.model.converted import load_converted
from recipe.model.llama import Attend, Llama
from recipe.paths import REPOSITORY_ROOT
from recipe.progress import progress

CONTINUATION = 32
SEQUENCE = 64
BLOCK = 8
CONTEXTS = (9, 24, 40)
PROMPTS = (
    "function fibonacci(n) {\n",
    "export function clamp(value: number, min: number, max: number): number {\n",
    "const sum = (numbers: number[]): number =>",
    "export class Stack<T> {\n  private items: T[] = [];\n\n  push(item: T): void {\n",
    "async function fetchJson(url) {\n  const response = await fetch(url);\n",
    "import { readFile } from 'node:fs/promises';\n\nexport async function readJson(path: string) {\n",
    "interface User {\n  id: number;\n  name: string;\n",
    "for (let i = 0; i < array.length; i++) {\n",
    "export const isEven = (n: number) =>",
    "function reverseString(s) {\n  return",
    "def fibonacci(n):\n",
    'def is_prime(n):\n    """Return True if n is a prime number."""\n',
    "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n",
    "import json\n\ndef read_json(path):\n    with open(path) as f:\n",
    "def factorial(n):\n    if n == 0:\n",
    "numbers = [1, 2, 3, 4, 5]\nsquares = [",
    "def count_words(text):\n    counts = {}\n    for word in text.split():\n",
    "def bubble_sort(items):\n    n = len(items)\n    for i in range(n):\n",
    "if __name__ == '__main__':\n",
    "def gcd(a, b):\n    while b:\n",
)


def describe(logits: Tensor) -> dict[str, list[Any]]:
    """Per row of logits [N, V]: the top id, its probability and its lead over the second logit."""
    top = logits.topk(2, dim=-1)
    probability = logits.softmax(-1).gather(-1, top.indices[:, :1])[:, 0]
    return {
        "top": top.indices[:, 0].tolist(),
        "prob": [round(p, 6) for p in probability.tolist()],
        "margin": [round(m, 5) for m in (top.values[:, 0] - top.values[:, 1]).tolist()],
    }


def masked_logits(model: Llama, hidden: Tensor) -> Tensor:
    """Logits with -inf for the mask token."""
    logits = model.logits(hidden)
    assert model.mask_id is not None
    logits[..., model.mask_id] = float("-inf")
    return logits


@torch.no_grad()
def predict(model: Llama, ids: list[int], attend: Attend) -> dict[str, list[Any]]:
    """describe() of every row of one sequence."""
    hidden = model.hidden(torch.tensor([ids]), torch.arange(len(ids)), attend)[0]
    return describe(masked_logits(model, hidden))


@torch.no_grad()
def greedy(model: Llama, prompts: list[list[int]], count: int) -> list[list[int]]:
    """`count` causal greedy ids after each prompt. The batch is padded on the right, which causal rows never see."""
    rows = [list(prompt) for prompt in prompts]
    index = torch.arange(len(rows))
    for _ in progress(range(count), "greedy tokens"):
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        hidden = model.hidden(ids, torch.arange(width), attention.causal)
        last = torch.tensor([len(row) - 1 for row in rows])
        for row, token in zip(rows, masked_logits(model, hidden[index, last]).argmax(-1).tolist(), strict=True):
            row.append(token)
    return [row[len(prompt) :] for row, prompt in zip(rows, prompts, strict=True)]


def build_golden(model: Llama, tokenizer: Tokenizer, sequences: list[list[int]]) -> dict[str, Any]:
    """The fixture: causal rows, masked blocks and greedy continuations."""
    causal = [{"ids": ids} | predict(model, ids, attention.causal) for ids in sequences]
    blocks = []
    assert model.mask_id is not None
    for ids in sequences:
        for context in (c for c in CONTEXTS if c + BLOCK <= len(ids)):
            block = [*ids[: context + 1], *[model.mask_id] * (BLOCK - 1)]
            rows = predict(model, block, attention.dense(attention.prefix_block_mask(context, BLOCK)))
            blocks.append({"ids": block, "commit": context} | {key: value[context:] for key, value in rows.items()})
    prompts = [tokenizer.encode(prompt).ids for prompt in PROMPTS]
    continuations = [
        {"prompt": text, "ids": ids, "continuation": more} | {"margin": _margins(model, ids, more)}
        for text, ids, more in zip(PROMPTS, prompts, greedy(model, prompts, CONTINUATION), strict=True)
    ]
    return {"causal": causal, "blocks": blocks, "greedy": continuations}


def _margins(model: Llama, prompt: list[int], continuation: list[int]) -> list[float]:
    """Lead of every greedy id over the second logit. A small lead may flip under other arithmetic."""
    return predict(model, prompt + continuation[:-1], attention.causal)["margin"][len(prompt) - 1 :]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a directory under models/")
    parser.add_argument("--models", type=Path, default=REPOSITORY_ROOT / "models")
    parser.add_argument("--out", type=Path, default=REPOSITORY_ROOT / "test" / "fixtures")
    arguments = parser.parse_args()
    folder = arguments.models / arguments.name
    model, _ = load_converted(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    sequences = [np.asarray(tokens[len(tokens) // 3 :][:SEQUENCE]).astype(int).tolist() for tokens in load_split("heldout").values()]
    out = arguments.out / f"{arguments.name}.golden.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(build_golden(model, tokenizer, sequences), separators=(",", ":")) + "\n")
    print(f"{out}\nGOLDEN_MODEL={arguments.name} npx vitest run test/model/golden.test.ts compares the engine with it")
