/** Compiles `wasm/` twice: with relaxed SIMD, and for engines without it. */
import { mkdir } from 'node:fs/promises';
import asc from 'assemblyscript/asc';

const common = [
  'wasm/index.ts',
  '--runtime=stub',
  '--importMemory',
  '--noAssert',
  // Not higher: -O2 and -O3 move each sum down to its use, and the registers that V8 then lacks are spilled.
  '-O1',
  // Static data ends far below the arena, which starts at the second page.
  '--memoryBase=1024',
  '--enable=simd',
];

await mkdir('build', { recursive: true });
for (const [file, features] of [
  ['build/kernels-relaxed.wasm', ['--enable=relaxed-simd']],
  ['build/kernels-simd.wasm', []],
] as const) {
  const { error, stderr } = await asc.main([...common, ...features, `--outFile=${file}`]);
  if (error) {
    console.error(stderr.toString());
    throw error;
  }
}
