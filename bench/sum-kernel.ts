/** The fastest way to read memory from WASM, to measure kernels against: adding up vectors. */
import asc from 'assemblyscript/asc';

const SOURCE = `
export function sum(from: usize, bytes: i32): i32 {
  let a = i32x4.splat(0), b = a, c = a, d = a;
  for (const end = from + bytes; from < end; from += 64) {
    a = i32x4.add(a, v128.load(from, 0));
    b = i32x4.add(b, v128.load(from, 16));
    c = i32x4.add(c, v128.load(from, 32));
    d = i32x4.add(d, v128.load(from, 48));
  }
  return i32x4.extract_lane(i32x4.add(i32x4.add(a, b), i32x4.add(c, d)), 0);
}`;

/** `sum(address, bytes)` over `memory`; bytes is a multiple of 64. */
export async function sumKernel(memory: WebAssembly.Memory): Promise<(address: number, bytes: number) => number> {
  let binary = new Uint8Array();
  const { error, stderr } = await asc.main(
    ['sum.ts', '--outFile=sum.wasm', '--runtime=stub', '--importMemory', '--noAssert', '-O1', '--enable=simd'],
    {
      readFile: (name: string) => (name === 'sum.ts' ? SOURCE : null),
      writeFile: (_name: string, content: Uint8Array | string) => {
        if (typeof content !== 'string') binary = Uint8Array.from(content);
      },
      listFiles: () => [],
    },
  );
  if (error) throw new Error(stderr.toString());
  const instance = await WebAssembly.instantiate(await WebAssembly.compile(binary), { env: { memory } });
  return instance.exports.sum as (address: number, bytes: number) => number;
}
