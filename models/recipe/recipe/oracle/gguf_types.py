"""python -m recipe gguf-types: blocks of GGUF's types as the `gguf` package dequantizes them -> test/fixtures/gguf-types.json.

The bytes are random, but for the scales: numbers of every size that fp16 has, of both signs, and zero.
"""

from __future__ import annotations

import argparse
import base64
import json

import gguf
import numpy as np
from gguf.quants import dequantize

from recipe.paths import REPOSITORY_ROOT

OUT = REPOSITORY_ROOT / "test" / "fixtures" / "gguf-types.json"
BLOCKS = 4
SCALES = np.array([0.0123, -0.5, 6e-8, 0.0, 1.0, -3.2e-5, 1000.0, 0.3333, -65504.0], dtype=np.float16)
TYPES = {
    "F16": (),
    "BF16": (),
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
    "IQ4_NL": (0,),
}
"""Where a block has its scales, in bytes."""


def case(name: str, seed: int) -> dict[str, str | int]:
    kind = gguf.GGMLQuantizationType[name]
    _, size = gguf.GGML_QUANT_SIZES[kind]
    random = np.random.default_rng(seed)
    if TYPES[name]:
        blocks = random.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
        for at in TYPES[name]:
            blocks[:, at : at + 2] = random.choice(SCALES, (BLOCKS, 1)).view(np.uint8)
    else:
        values = random.choice(SCALES, (BLOCKS * 8, 1))
        blocks = values.view(np.uint8) if name == "F16" else values.astype(np.float32).view(np.uint8)[:, 2:].copy()
    weights = np.ascontiguousarray(dequantize(blocks, kind), dtype="<f4")
    return {"type": name, "number": int(kind), "bytes": base64_of(blocks.tobytes()), "float32": base64_of(weights.tobytes())}


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    cases = [case(name, seed) for name in TYPES for seed in range(3)]
    OUT.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in cases) + "\n]\n")
    print(f"{OUT}: {len(cases)} cases")
