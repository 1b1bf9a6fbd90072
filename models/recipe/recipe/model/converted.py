"""Reads a converted model directory (models/README.md): dequantizes its shards with numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipe.model.llama import Llama, LlamaConfig

GROUP = 32
"""Weights along K with one scale."""


def dequantize_int4(data: NDArray[np.uint8], scales: NDArray[np.float16]) -> NDArray[np.float32]:
    """data [N, K/32, 16] (low nibble = even k), scales [N, K/32] -> scale * (q - 8), [N, K]."""
    q = np.stack([data & 15, data >> 4], axis=-1).reshape(*scales.shape, GROUP)
    value = scales.astype(np.float32)[..., None] * (q.astype(np.float32) - 8)
    return value.reshape(len(scales), -1)


def dequantize_int8(data: NDArray[np.uint8], scales: NDArray[np.float16]) -> NDArray[np.float32]:
    """data [N, K/32, 32], scales [N, K/32] -> scale * (q - 128), [N, K]."""
    value = scales.astype(np.float32)[..., None] * (data.reshape(*scales.shape, GROUP).astype(np.float32) - 128)
    return value.reshape(len(scales), -1)


def read_part(shard: NDArray[np.uint8], kind: str, rows: int, shape: list[int], part: dict[str, Any]) -> NDArray[np.float32]:
    """One run of rows out of one shard, as float32 [rows, K], or [rows] for a vector."""
    start = part["data"]
    if kind == "f32":
        count = rows * int(np.prod(shape[1:], dtype=np.int64))
        return shard[start : start + 4 * count].view("<f4").reshape(rows, *shape[1:]).copy()
    groups = shape[1] // GROUP
    width = {"int4": GROUP // 2, "int8": GROUP}[kind]
    data = shard[start : start + rows * groups * width].reshape(rows, groups, width)
    scales = shard[part["scales"] : part["scales"] + 2 * rows * groups].view("<f2").reshape(rows, groups)
    return dequantize_int4(data, scales) if kind == "int4" else dequantize_int8(data, scales)


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Every tensor of the base by its Hugging Face name, float32. Adapters of mask rows are not the base's."""
    manifest = json.loads((folder / "manifest.json").read_text())
    if manifest["format"] != "seedling-weights-1":
        raise ValueError(f"unknown weight format {manifest['format']!r}")
    shards = [np.memmap(folder / shard["file"], dtype=np.uint8, mode="r") for shard in manifest["shards"]]
    tensors: dict[str, Tensor] = {}
    for tensor in manifest["tensors"]:
        if ".drafts." in tensor["name"]:
            continue
        parts = [
            read_part(shards[part["shard"]], tensor["type"], part["rows"][1] - part["rows"][0], tensor["shape"], part)
            for part in tensor["parts"]
        ]
        value = np.concatenate(parts)
        assert list(value.shape) == tensor["shape"], tensor["name"]
        tensors[tensor["name"]] = torch.from_numpy(value)
    return tensors


def load_converted(folder: Path) -> tuple[Llama, dict[str, Any]]:
    """The model with its dequantized weights, and its config.json."""
    config = json.loads((folder / "config.json").read_text())
    if config["qkvBias"] or config["qkNorm"] or not config["tieWordEmbeddings"]:
        raise NotImplementedError("only Llama with tied embeddings has a reference forward here")
    if config.get("ropeScaling"):
        raise NotImplementedError("the reference forward here has no scaled RoPE")
    shape = LlamaConfig(
        hidden_size=config["hiddenSize"],
        intermediate_size=config["intermediateSize"],
        layers=config["numLayers"],
        heads=config["numHeads"],
        kv_heads=config["numKvHeads"],
        head_dim=config["headDim"],
        vocab_size=config["vocabSize"],
        rope_theta=config["ropeTheta"],
        rms_norm_eps=config["rmsNormEps"],
        max_positions=config["contextLength"],
    )
    model = Llama(shape, config["maskTokenId"])
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in read_tensors(folder).items()})
    return model.eval(), config
