"""SmolLM2 as Q4_0, the format of llama.cpp's fastest kernels on a CPU. Usage: python q4_0.py FROM.gguf TO.gguf. Needs gguf."""

import sys

from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, dequantize, quantize
from gguf.constants import Keys, LlamaFileType

Q4_0 = GGMLQuantizationType.Q4_0


def main(source: str, target: str) -> None:
    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields[Keys.General.ARCHITECTURE].contents())
    for name, field in reader.fields.items():
        # The writer writes the architecture and the counts itself.
        if name == Keys.General.ARCHITECTURE or name.startswith("GGUF."):
            continue
        if name == Keys.General.FILE_TYPE:
            writer.add_file_type(LlamaFileType.MOSTLY_Q4_0)
        elif field.types[0] == GGUFValueType.ARRAY:
            writer.add_key_value(name, field.contents(), GGUFValueType.ARRAY, field.types[-1])
        else:
            writer.add_key_value(name, field.contents(), field.types[0])
    for tensor in reader.tensors:
        if tensor.tensor_type == GGMLQuantizationType.F32:
            writer.add_tensor(tensor.name, tensor.data)
        else:
            writer.add_tensor(tensor.name, quantize(dequantize(tensor.data, tensor.tensor_type), Q4_0), raw_dtype=Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main(*sys.argv[1:])
