"""python -m recipe fixture: writes tiny random checkpoints with golden logits for the TypeScript tests.

The logits come from transformers' own LlamaForCausalLM, Qwen2ForCausalLM and Qwen3ForCausalLM in float32 under an explicit 4-D
attention mask, so that they do not depend on code of this repository.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from recipe.model.attention import prefix_block_mask
from recipe.model.exported import SEEDLING
from recipe.paths import REPOSITORY_ROOT

CASES = ((0, 8), (1, 8), (7, 8), (8, 8), (9, 8), (17, 8), (24, 0), (5, 1))
"""(causal context, active block) lengths."""

END_OF_TEXT, MASK = 256, 257
MERGES = (("i", "n"), ("r", "e"), ("Ġ", "Ġ"), ("Ġ", "t"), ("o", "n"), ("ĠĠ", "ĠĠ"))
VOCABULARY = 264
"""256 bytes, two special tokens, six merges."""

INIT_STD = 0.2
"""Wide enough that logits spread over a few units, so that an error in any tensor changes the argmax somewhere."""

QUERY_KEY_STD = 0.12
"""Narrower: under sharp attention the last bits of a score decide, and the test would measure the rounding of a 16-bit KV cache."""

SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-5,
    "rope_theta": 1e4,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
    "bos_token_id": END_OF_TEXT,
    "eos_token_id": END_OF_TEXT,
}
VARIANTS: dict[str, tuple[type[Any], type[Any], dict[str, Any]]] = {
    "tiny-llama": (LlamaConfig, LlamaForCausalLM, {}),
    "tiny-qwen2": (Qwen2Config, Qwen2ForCausalLM, {}),
    "tiny-qwen3": (Qwen3Config, Qwen3ForCausalLM, {"head_dim": 32}),
}


def byte_tokenizer() -> Tokenizer:
    """Byte-level BPE over ids 0..255 (the byte alphabet in code point order), specials, then the merges."""
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens += ["<|endoftext|>", "<|mask|>", *(left + right for left, right in MERGES)]
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=list(MERGES)))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<|endoftext|>", "<|mask|>")])
    return tokenizer


def random_model(variant: str, seed: int) -> Any:
    """A transformers model with random weights. Norms (near 1) and biases, if there are any, are random too."""
    config_type, model_type, extra = VARIANTS[variant]
    config = config_type(**(SHAPE | extra))
    config._attn_implementation = "eager"
    model = model_type(config).float().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            std = QUERY_KEY_STD if "q_proj" in name or "k_proj" in name else INIT_STD
            parameter.copy_(1 + 0.1 * noise if "norm" in name else std * noise)
    return model


@torch.no_grad()
def golden_logits(model: Any, ids: Tensor, context: int) -> Tensor:
    """Logits [N, V] of ids [N]: `context` causal rows, then one bidirectional block that sees them all."""
    allowed = prefix_block_mask(context, len(ids) - context)
    mask = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
    logits: Tensor = model(input_ids=ids[None], attention_mask=mask[None, None], position_ids=torch.arange(len(ids))[None]).logits[0]
    return logits


def write_fixture(variant: str, folder: Path, seed: int = 0) -> None:
    """config.json, model.safetensors, tokenizer.json and golden.json."""
    folder.mkdir(parents=True, exist_ok=True)
    model = random_model(variant, seed)
    _, model_type, extra = VARIANTS[variant]
    config = (
        SHAPE
        | extra
        | {
            "architectures": [model_type.__name__],
            "model_type": model.config.model_type,
            "hidden_act": "silu",
            "torch_dtype": "float32",
            "mask_token_id": MASK,
            "seedling": SEEDLING,
        }
    )
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    byte_tokenizer().save(str(folder / "tokenizer.json"))
    generator = torch.Generator().manual_seed(seed + 1)
    cases = []
    for context, block in CASES:
        ids = torch.randint(0, END_OF_TEXT, (context + block,), generator=generator)
        ids[context + 1 :: 2] = MASK  # a block in the middle of denoising: every other position hidden
        rows = golden_logits(model, ids, context).tolist()
        logits = [[float(f"{value:.6g}") for value in row] for row in rows]
        cases.append({"ids": ids.tolist(), "commit": context, "logits": logits})
    (folder / "golden.json").write_text(json.dumps({"cases": cases}, separators=(",", ":")) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY_ROOT / "test" / "fixtures")
    arguments = parser.parse_args()
    for variant in VARIANTS:
        write_fixture(variant, arguments.out / variant)
        size = sum(file.stat().st_size for file in (arguments.out / variant).iterdir())
        print(f"{variant}: {size // 1000} kB")
