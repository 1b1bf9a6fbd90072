/** Compiles `wasm/` with relaxed SIMD, and for engines without it; each also for a memory that threads share. */
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

/** As many pages as an address can name: the host decides how many there are. */
const shared = ['--enable=threads', '--sharedMemory', '--maximumMemory=65536'];

await mkdir('build', { recursive: true });
for (const [file, flags] of [
  ['build/kernels-relaxed.wasm', ['--enable=relaxed-simd']],
  ['build/kernels-simd.wasm', []],
  ['build/kernels-relaxed-shared.wasm', ['--enable=relaxed-simd', ...shared]],
  ['build/kernels-simd-shared.wasm', shared],
] as const) {
  const { error, stderr } = await asc.main([...common, ...flags, `--outFile=${file}`]);
  if (error) {
    console.error(stderr.toString());
    throw error;
  }
}
