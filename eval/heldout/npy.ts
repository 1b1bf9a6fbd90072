/** The .npy files (NumPy) that the recipe writes: one dimension of little-endian uint16. */

const MAGIC = '\x93NUMPY';

/**
 * Format: numpy.lib.format, versions 1 to 3.
 * @returns (N), a copy
 * @throws Error on anything but a one-dimensional array of `<u2` that is complete
 */
export function readNpyUint16(file: Uint8Array): Uint16Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  // One character a byte. TextDecoder's latin1 is windows-1252.
  const latin1 = (from: number, to: number) => String.fromCharCode(...file.subarray(from, to));
  if (latin1(0, MAGIC.length) !== MAGIC) throw new Error('not an .npy file');
  const [start, length] = view.getUint8(6) === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = latin1(start, start + length);
  const count = /'shape': \((\d+),\)/.exec(header)?.[1];
  if (!header.includes("'descr': '<u2'") || count === undefined) {
    throw new Error(`want one dimension of uint16, the file has ${header.trim()}`);
  }
  // A copy, so that the elements are aligned. A Buffer's slice() would not copy.
  const data = new Uint8Array(file.subarray(start + length, start + length + 2 * Number(count)));
  if (data.byteLength !== 2 * Number(count)) throw new Error(`the file ends before its ${count} elements do`);
  return new Uint16Array(data.buffer);
}
