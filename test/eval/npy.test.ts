import { expect, test } from 'vitest';
import { readNpyUint16 } from '../../eval/heldout/npy.ts';

/** As numpy.save writes it: magic, version 1.0, header padded with spaces to 64 bytes, elements. */
function npy(header: string, elements: readonly number[]): Buffer {
  const padded = `${header.padEnd(127 - 10)}\n`;
  const head = Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.alloc(2), Buffer.from(padded)]);
  head.writeUInt16LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(Uint16Array.from(elements).buffer)]);
}

const HEADER = "{'descr': '<u2', 'fortran_order': False, 'shape': (3,), }";

test('reads the elements, and only them, out of a Buffer that is part of a larger one', () => {
  const file = npy(HEADER, [1, 256, 65535]);
  const odd = Buffer.concat([Buffer.of(7), file]).subarray(1);
  expect(readNpyUint16(odd)).toEqual(Uint16Array.of(1, 256, 65535));
});

test('refuses other files, types, shapes, and a file cut short', () => {
  expect(() => readNpyUint16(Buffer.from('PK\x03\x04 and more'))).toThrow('not an .npy file');
  expect(() => readNpyUint16(npy(HEADER.replace('<u2', '<i8'), [1, 2, 3]))).toThrow("'<i8'");
  expect(() => readNpyUint16(npy(HEADER.replace('(3,)', '(3, 1)'), [1, 2, 3]))).toThrow('(3, 1)');
  expect(() => readNpyUint16(npy(HEADER, [1, 2]))).toThrow('ends before its 3 elements');
});
