/** ONNX models of one node, for timing onnxruntime-web's matrix products. */
import protobuf from 'protobufjs';

/** The fields of onnx.proto3 that are needed here, under their official numbers. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message ModelProto { int64 ir_version = 1; GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8; }
  message OperatorSetIdProto { string domain = 1; int64 version = 2; }
  message GraphProto {
    repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
    repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
  }
  message NodeProto {
    repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
    repeated AttributeProto attribute = 5; string domain = 7;
  }
  message AttributeProto { string name = 1; int64 i = 3; int32 type = 20; }
  message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
  message ValueInfoProto { string name = 1; TypeProto type = 2; }
  message TypeProto { TensorTypeProto tensor_type = 1; }
  message TensorTypeProto { int32 elem_type = 1; TensorShapeProto shape = 2; }
  message TensorShapeProto { repeated Dimension dim = 1; }
  message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
`);
const Model = root.lookupType('ModelProto');

const FLOAT = 1;
const UINT8 = 2;
const INT8 = 3;
const ATTRIBUTE_INT = 2;

interface Initializer {
  readonly name: string;
  readonly dataType: number;
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/** One node `op` of com.microsoft: y (M, n) from x (M, K) and constants, M free. */
function model(
  op: string,
  n: number,
  k: number,
  constants: readonly Initializer[],
  attributes: Record<string, number>,
) {
  const matrix = (name: string, columns: number) => {
    const shape = { dim: [{ dimParam: 'M' }, { dimValue: columns }] };
    return { name, type: { tensorType: { elemType: FLOAT, shape } } };
  };
  const node = {
    input: ['x', ...constants.map(({ name }) => name)],
    output: ['y'],
    name: 'product',
    opType: op,
    domain: 'com.microsoft',
    attribute: Object.entries(attributes).map(([name, i]) => ({ name, i, type: ATTRIBUTE_INT })),
  };
  const graph = {
    node: [node],
    name: op,
    initializer: constants.map(({ data, ...rest }) => ({ ...rest, rawData: data })),
    input: [matrix('x', k)],
    output: [matrix('y', n)],
  };
  const opsetImport = [
    { domain: '', version: 17 },
    { domain: 'com.microsoft', version: 1 },
  ];
  return Model.encode(Model.fromObject({ irVersion: 8, graph, opsetImport })).finish();
}

/** int4 weights, a float scale per group of 32, int8 activations inside (accuracy level 4). bytes (n, K/32, 16) */
export function matMulNBits(n: number, k: number, bytes: Uint8Array, scales: Float32Array): Uint8Array {
  const constants = [
    { name: 'w', dataType: UINT8, dims: [n, k / 32, 16], data: bytes },
    { name: 's', dataType: FLOAT, dims: [(n * k) / 32], data: new Uint8Array(scales.buffer) },
  ];
  return model('MatMulNBits', n, k, constants, { K: k, N: n, bits: 4, block_size: 32, accuracy_level: 4 });
}

/** int8 weights, one float scale, activations quantized as they come. bytes (K, n) */
export function dynamicQuantizeMatMul(n: number, k: number, bytes: Uint8Array, scale: number): Uint8Array {
  const constants = [
    { name: 'w', dataType: INT8, dims: [k, n], data: bytes },
    { name: 's', dataType: FLOAT, dims: [1], data: new Uint8Array(Float32Array.of(scale).buffer) },
  ];
  return model('DynamicQuantizeMatMul', n, k, constants, {});
}
