import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { Message } from '../../../src/model/onnx/protobuf.ts';

const { root } = protobuf.parse(`
  syntax = "proto2";
  message Inner { repeated int64 sizes = 1; optional string name = 16; }
  message Outer { optional int64 big = 1; optional float ratio = 2; repeated Inner inner = 200; optional bytes raw = 4; }
`);

test('what is written is what a protobuf reader reads, fields out of order and numbers past 32 bits too', () => {
  const inner = new Message().integer(1, 0).integer(1, 127).integer(1, 128).text(16, 'naïve');
  const bytes = new Message()
    .message(200, inner)
    .message(200, new Message())
    .bytes(4, Uint8Array.of(0, 255))
    .float(2, -0.5)
    .integer(1, 2 ** 40 + 3)
    .finish();
  const Outer = root.lookupType('Outer');
  const read = Outer.toObject(Outer.decode(bytes), { longs: Number, arrays: true });
  expect(read).toEqual({
    big: 2 ** 40 + 3,
    ratio: -0.5,
    raw: Uint8Array.of(0, 255),
    inner: [{ sizes: [0, 127, 128], name: 'naïve' }, { sizes: [] }],
  });
});

test.each([-1, 0.5, 2 ** 60])('%d is no whole number that can be written', (value) => {
  expect(() => new Message().integer(1, value)).toThrow(RangeError);
});
