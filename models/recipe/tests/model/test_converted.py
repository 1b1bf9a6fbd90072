from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recipe.model import attention
from recipe.model.converted import dequantize_int4, dequantize_int8, read_tensors
from recipe.model.llama import Llama
from recipe.oracle.golden import greedy, predict


def test_int4_by_hand() -> None:
    data = np.full((1, 2, 16), 0x88, dtype=np.uint8)
    data[0, 0, 0] = 0x9F  # k = 0: 15, k = 1: 9
    data[0, 1, 15] = 0x07  # k = 62: 7, k = 63: 0
    scales = np.array([[0.5, 2.0]], dtype=np.float16)
    row = dequantize_int4(data, scales)[0]
    assert row[[0, 1, 62, 63]].tolist() == [3.5, 0.5, -2.0, -16.0]
    assert np.count_nonzero(row) == 4


def test_int8_by_hand() -> None:
    data = np.full((2, 1, 32), 128, dtype=np.uint8)
    data[1, 0, 31] = 0
    data[0, 0, 1] = 255
    value = dequantize_int8(data, np.array([[0.25], [1.0]], dtype=np.float16))
    assert value.shape == (2, 32)
    assert [float(value[0, 1]), float(value[1, 31])] == [31.75, -128.0]
    assert np.count_nonzero(value) == 2


def test_tensors_split_over_shards(tmp_path: Path) -> None:
    first = np.array([0x98] * 16, dtype=np.uint8).tobytes() + b"\0" * 48 + np.array([1.0], dtype="<f2").tobytes()
    vector = np.array([1.5, -2.5], dtype="<f4").tobytes()
    second = np.array([0x08] * 16, dtype=np.uint8).tobytes() + b"\0" * 48 + np.array([2.0], dtype="<f2").tobytes()
    second += b"\0" * (128 - len(second)) + vector
    (tmp_path / "weights-000.bin").write_bytes(first)
    (tmp_path / "weights-001.bin").write_bytes(second)
    manifest = {
        "format": "seedling-weights-1",
        "shards": [{"file": "weights-000.bin"}, {"file": "weights-001.bin"}],
        "tensors": [
            {
                "name": "m",
                "type": "int4",
                "shape": [2, 32],
                "parts": [{"shard": 0, "rows": [0, 1], "data": 0, "scales": 64}, {"shard": 1, "rows": [1, 2], "data": 0, "scales": 64}],
            },
            {"name": "v", "type": "f32", "shape": [2], "parts": [{"shard": 1, "rows": [0, 2], "data": 128}]},
        ],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    tensors = read_tensors(tmp_path)
    assert tensors["m"][0].tolist() == [0.0, 1.0] * 16
    assert tensors["m"][1].tolist() == [0.0, -16.0] * 16
    assert tensors["v"].tolist() == [1.5, -2.5]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"format": "other"}))
    with pytest.raises(ValueError, match="other"):
        read_tensors(tmp_path)


def test_batched_greedy_equals_one_by_one_and_never_says_mask(tiny: Llama) -> None:
    prompts = [[5], [7, 8, 9, 10], [11, 12]]
    together = greedy(tiny, prompts, 6)
    assert together == [greedy(tiny, [prompt], 6)[0] for prompt in prompts]
    assert all(3 not in row for row in together)
    rows = predict(tiny, prompts[1] + together[1], attention.causal)
    assert rows["top"][3:9] == together[1]
    assert all(0 < p <= 1 for p in rows["prob"])
    assert min(rows["margin"]) >= 0
