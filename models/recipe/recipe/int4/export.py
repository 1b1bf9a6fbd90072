"""python -m recipe export: merges an adapter into the base and writes a Hugging Face directory (stock Llama, float32)."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from recipe.data.tokenizer import EOS_IDS, MASK_ID, chat_template, load_tokenizer, tokenizer_config
from recipe.model.llama import Llama, LlamaConfig
from recipe.model.lora import merged_state
from recipe.model.start import load_start, load_trained
from recipe.paths import cache_dir

SEEDLING = {"logit_shift": True, "context_attention": "causal", "block_length": 8, "infill_order": "suffix_first"}
"""What a sampler must know beside the architecture."""


def hugging_face_config(config: LlamaConfig) -> dict[str, object]:
    """config.json of a stock LlamaForCausalLM plus the diffusion semantics."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "rms_norm_eps": config.rms_norm_eps,
        "rope_theta": config.rope_theta,
        "max_position_embeddings": config.max_positions,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "bos_token_id": 1,
        "eos_token_id": list(EOS_IDS),
        "pad_token_id": 2,
        "mask_token_id": MASK_ID,
        "seedling": SEEDLING,
    }


def write_model(model: Llama, folder: Path) -> None:
    """config.json, model.safetensors and the tokenizer's two files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(hugging_face_config(model.config), indent=2) + "\n")
    state = {f"model.{name}": tensor.float().contiguous() for name, tensor in merged_state(model).items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    load_tokenizer()
    shutil.copyfile(cache_dir() / "base" / "tokenizer.json", folder / "tokenizer.json")
    settings = tokenizer_config() | {"chat_template": chat_template()}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def load_export(folder: Path) -> Llama:
    """The merged float32 model of an export."""
    model = Llama(LlamaConfig(), MASK_ID)
    state = load_file(folder / "model.safetensors")
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in state.items()})
    return model.requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", required=True, help="path of an adapter, or none for the untouched base")
    parser.add_argument("--out", type=Path, default=cache_dir() / "export" / "seedling-135m")
    arguments = parser.parse_args()
    model = load_start() if arguments.adapter == "none" else load_trained(Path(arguments.adapter))
    write_model(model, arguments.out)
    print(arguments.out)
