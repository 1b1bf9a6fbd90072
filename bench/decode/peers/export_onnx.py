"""GGUF base model -> the int8 ONNX decoder that transformers.js runs by default on WASM (dtype q8).

Usage: python export_onnx.py MODEL.gguf tokenizer.json OUT_DIR. Needs the packages that onnx-model.ts installs.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic
from optimum.exporters.onnx import main_export
from transformers import AutoModelForCausalLM


def main(gguf_file: Path, tokenizer: Path, out: Path) -> None:
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        checkpoint = Path(scratch, "checkpoint")
        exported = Path(scratch, "exported")
        model = AutoModelForCausalLM.from_pretrained(gguf_file.parent, gguf_file=gguf_file.name)
        model.save_pretrained(checkpoint)
        # Without post-processing the LM head keeps weights of its own. Tied to the embedding it would stay in float32
        # and be dequantized at every step, which is slower for this peer.
        main_export(
            str(checkpoint), exported, task="text-generation-with-past", library_name="transformers", no_post_process=True
        )
        made = Path(scratch, "made")
        Path(made, "onnx").mkdir(parents=True)
        quantize_dynamic(
            exported / "model.onnx",
            made / "onnx" / "model_quantized.onnx",
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        for file in (exported / "config.json", exported / "generation_config.json", tokenizer):
            shutil.copy(file, made)
        Path(made, "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
        # Only a whole export gets the name that later runs look for.
        made.rename(out)


main(*map(Path, sys.argv[1:]))
