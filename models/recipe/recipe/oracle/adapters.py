"""python -m recipe adapters: writes tiny LoRA adapters and what PEFT's merge_and_unload makes of them.

The base models are checkpoints that the other oracles have written (`fixture`, `families`).
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from recipe.oracle.families import write_json
from recipe.paths import REPOSITORY_ROOT

FIXTURES = REPOSITORY_ROOT / "test" / "fixtures"
EVERY = 41
"""The golden file holds every 41st weight of a tensor that the adapter changes."""


@dataclass(frozen=True)
class Adapter:
    base: str
    """Directory under the fixtures."""
    settings: dict[str, Any]
    """Of LoraConfig."""
    model_type: str = ""
    """What transformers calls the base, where config.json has a name of its own."""
    dtype: torch.dtype = field(default=torch.float32)


ADAPTERS: dict[str, Adapter] = {
    "attention": Adapter("tiny-llama", {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}),
    "rslora": Adapter("tiny-qwen2", {"r": 3, "lora_alpha": 5, "use_rslora": True, "target_modules": "all-linear"}),
    "patterns": Adapter(
        "tiny-qwen3",
        {
            "r": 2,
            "lora_alpha": 4,
            "target_modules": ["q_proj", "o_proj", "down_proj"],
            "rank_pattern": {"layers.0.self_attn.q_proj": 1, "down_proj": 3},
            "alpha_pattern": {r"model\.layers\.\d+\.mlp\.down_proj": 6, "layers.1.self_attn.o_proj": 1},
        },
    ),
    "pattern-of-names": Adapter("tiny-llama", {"r": 2, "target_modules": r".*\.1\.(mlp|self_attn)\.[gko]\w*_proj"}),
    "saved": Adapter(
        "tiny-llama", {"r": 2, "target_modules": ["up_proj"], "modules_to_save": ["input_layernorm", "lm_head"]}
    ),
    "saved-embedding": Adapter(
        "tiny-llama", {"r": 2, "target_modules": ["up_proj"], "modules_to_save": ["embed_tokens"]}, dtype=torch.bfloat16
    ),
    "both-ends": Adapter(
        "families/sdar", {"r": 2, "lora_alpha": 3, "target_modules": ["embed_tokens", "lm_head", "k_proj"]}, "qwen3"
    ),
    "bfloat16": Adapter("tiny-llama", {"r": 2, "target_modules": ["gate_proj"], "layers_to_transform": [1]}, dtype=torch.bfloat16),
}


def base_model(adapter: Adapter) -> Any:
    """The base in float32."""
    folder = FIXTURES / adapter.base
    values = json.loads((folder / "config.json").read_text())
    values["model_type"] = adapter.model_type or values["model_type"]
    state = load_file(folder / "model.safetensors")
    values["tie_word_embeddings"] = "lm_head.weight" not in state
    config = AutoConfig.for_model(**values)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=False)
    return model


@torch.no_grad()
def write_adapter(name: str, folder: Path, seed: int) -> None:
    """adapter_config.json, adapter_model.safetensors and golden.json."""
    adapter = ADAPTERS[name]
    generator = torch.Generator().manual_seed(seed)
    base = base_model(adapter)
    before = {key: tensor.clone() for key, tensor in base.state_dict().items()}
    model = get_peft_model(base, LoraConfig(**adapter.settings), autocast_adapter_dtype=False)
    for key, parameter in model.named_parameters():
        if "lora_" in key:
            # get_peft_model starts with B = 0, which would merge to nothing.
            parameter.copy_((0.2 * torch.randn(parameter.shape, generator=generator)).to(adapter.dtype).float())
        elif "modules_to_save" in key:
            parameter.copy_((parameter + 0.1 * torch.randn(parameter.shape, generator=generator)).to(adapter.dtype).float())
    stored = {key: tensor.to(adapter.dtype) for key, tensor in model.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, state_dict=stored)
    (folder / "README.md").unlink(missing_ok=True)
    settings = json.loads((folder / "adapter_config.json").read_text())
    # A set, so its order changes from run to run.
    if isinstance(settings["target_modules"], list):
        settings["target_modules"].sort()
    write_json(folder / "adapter_config.json", settings | {"base_model_name_or_path": adapter.base})
    merged = model.merge_and_unload()
    ids = torch.randint(0, 250, (24,), generator=generator)
    changed = {
        key: tensor.flatten()[::EVERY].tolist() for key, tensor in merged.state_dict().items() if not torch.equal(tensor, before[key])
    }
    logits = merged(input_ids=ids[None]).logits[0, -1]
    golden = {
        "base": adapter.base,
        "every": EVERY,
        "changed": {key: [float(f"{value:.7g}") for value in values] for key, values in changed.items()},
        "ids": ids.tolist(),
        "logits": [round(value, 5) for value in logits.tolist()],
    }
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FIXTURES / "adapters")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    shutil.rmtree(arguments.out, ignore_errors=True)
    for seed, name in enumerate(ADAPTERS):
        write_adapter(name, arguments.out / name, seed)
        size = sum(file.stat().st_size for file in (arguments.out / name).iterdir())
        print(f"{name}: {size // 1000} kB")
