"""python -m recipe drafts-fixture: writes gated adapters for the tiny checkpoints, with golden logits for the TypeScript tests.

The logits are those of transformers' own models. A hook adds scale * B A x to the output of each adapted matrix on rows of the mask
token, so they do not depend on the modules that train adapters here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from recipe.model.lora import ADAPTED
from recipe.oracle.fixture import END_OF_TEXT, MASK, VARIANTS, golden_logits, random_model
from recipe.paths import REPOSITORY_ROOT

RANK, SCALE = 4, 2.0
ADAPTER_STD = 0.08
"""Wide enough that every adapter moves logits by more than the tolerance of the tests."""

CASES = ((0, 8), (7, 8), (24, 0))
"""(causal context, active block) lengths."""


def random_adapter(model: Any, seed: int) -> dict[str, Tensor]:
    """layers.N.module.lora_a [rank, in] and lora_b [out, rank] for each adapted matrix."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    for name, module in model.model.named_modules():
        if isinstance(module, nn.Linear) and name.rsplit(".", 1)[-1] in ADAPTED:
            state[f"{name}.lora_a"] = ADAPTER_STD * torch.randn(RANK, module.in_features, generator=generator)
            state[f"{name}.lora_b"] = ADAPTER_STD * torch.randn(module.out_features, RANK, generator=generator)
    return state


def hook_adapter(model: Any, state: dict[str, Tensor], masks: Tensor) -> None:
    """Corrects the rows of `masks` [N], in every forward from now on."""
    for name, module in model.model.named_modules():
        if f"{name}.lora_a" not in state:
            continue
        a, b = state[f"{name}.lora_a"], state[f"{name}.lora_b"]

        def correct(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor, a: Tensor = a, b: Tensor = b) -> Tensor:
            return output + SCALE * masks[:, None] * (inputs[0] @ a.T @ b.T)

        module.register_forward_hook(correct)


def write_drafts(variant: str, folder: Path, seed: int = 0) -> None:
    """drafts.safetensors and drafts-golden.json, beside the checkpoint of `write_fixture` with the same seed."""
    state = random_adapter(random_model(variant, seed), seed + 2)
    save_file(state, folder / "drafts.safetensors", metadata={"rank": str(RANK), "scale": str(SCALE)})
    generator = torch.Generator().manual_seed(seed + 3)
    cases = []
    for context, block in CASES:
        ids = torch.randint(0, END_OF_TEXT, (context + block,), generator=generator)
        ids[context:] = MASK
        # Two runs of masks and one clean row in the block; the first row is the last known token.
        ids[context : context + 1] = ids[context + 4 : context + 5] = 7
        model = random_model(variant, seed)
        hook_adapter(model, state, (ids == MASK).float())
        rows = golden_logits(model, ids, context).tolist()
        logits = [[float(f"{value:.6g}") for value in row] for row in rows]
        cases.append({"ids": ids.tolist(), "commit": context, "logits": logits})
    (folder / "drafts-golden.json").write_text(json.dumps({"cases": cases}, separators=(",", ":")) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY_ROOT / "test" / "fixtures")
    arguments = parser.parse_args()
    for variant in VARIANTS:
        write_drafts(variant, arguments.out / variant)
        size = sum(file.stat().st_size for file in (arguments.out / variant).glob("drafts*"))
        print(f"{variant}: {size // 1000} kB")
