"""Exports: Hugging Face directories of a stock Llama in float32, which `npm run convert` reads."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import load_file, save_file

from recipe.data.tokenizer import EOS_IDS, MASK_ID, chat_template, load_tokenizer, tokenizer_config
from recipe.errors import RecipeError
from recipe.model.llama import Llama, LlamaConfig
from recipe.model.lora import merged_state

SEEDLING = {"logit_shift": True, "context_attention": "causal", "block_length": 8, "infill_order": "suffix_first"}
"""The diffusion semantics, which a sampler needs beside the architecture."""


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


def llama_config(folder: Path) -> LlamaConfig:
    """The shape in an export's config.json. Raises RecipeError if the model is no Llama with tied embeddings."""
    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] != "llama" or not config["tie_word_embeddings"]:
        raise RecipeError(f"{folder} is no Llama with tied embeddings: this recipe has no forward for it")
    return LlamaConfig(
        hidden_size=config["hidden_size"],
        intermediate_size=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        head_dim=config["head_dim"],
        vocab_size=config["vocab_size"],
        rope_theta=config["rope_theta"],
        rms_norm_eps=config["rms_norm_eps"],
        max_positions=config["max_position_embeddings"],
    )


def write_model(model: Llama, folder: Path) -> None:
    """Writes config.json, model.safetensors and the tokenizer's two files. Adapters are merged."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(hugging_face_config(model.config), indent=2) + "\n")
    state = {f"model.{name}": tensor.float().contiguous() for name, tensor in merged_state(model).items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    load_tokenizer().save(str(folder / "tokenizer.json"))
    settings = tokenizer_config() | {"chat_template": chat_template()}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def load_export(folder: Path) -> Llama:
    """The merged float32 model of an export, frozen."""
    model = Llama(llama_config(folder), MASK_ID)
    state = load_file(folder / "model.safetensors")
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in state.items()})
    return model.requires_grad_(False)
