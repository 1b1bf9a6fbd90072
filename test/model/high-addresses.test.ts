/** A memory of up to 4 GiB: addresses past 2^31 are negative to a signed 32-bit integer, and must not be to a kernel. */
import { expect, test } from 'vitest';
import { Arena, align } from '../../src/kernels/arena.ts';
import { instantiateKernels } from '../../src/kernels/kernels.ts';
import { Decoder } from '../../src/model/decoder.ts';
import { KvPool } from '../../src/model/kv/pool.ts';
import { readModelConfig, type WeightSource } from '../../src/model/weight-source.ts';
import { loadWeights, panelBytes, readManifest, weightBytes } from '../../src/model/weights.ts';
import { createWorkspace, pageBytes, workspaceBytes } from '../../src/model/workspace.ts';
import { flavours, kernelModules } from '../support/engines/kernels.ts';
import { convertFixture, type Dtype } from '../support/engines/models.ts';

const PAGES = 4;
const PAGE_TOKENS = 8;
const ids = Int32Array.from({ length: 19 }, (_, i) => (i * 37 + 11) % 256);

/** Logits of the last rows, and the addresses of the pages, with everything behind the first `below` bytes of the memory. */
async function run(source: WeightSource, flavour: (typeof flavours)[number], below: number) {
  const config = await readModelConfig(source);
  const manifest = await readManifest(source);
  const tokens = PAGES * PAGE_TOKENS;
  const page = pageBytes(config, PAGE_TOKENS, 'int8');
  const needed = weightBytes(manifest) + workspaceBytes(config, tokens, PAGE_TOKENS) + align(panelBytes(manifest));
  const arena = new Arena(below + needed + align(PAGES * page));
  if (below > 0) arena.take(below);
  const kernels = instantiateKernels(kernelModules, arena.memory, flavour);
  const pool = new KvPool(arena.take(PAGES * page), PAGES, page, PAGE_TOKENS);
  const tensors = await loadWeights(source, manifest, arena, kernels, arena.take(panelBytes(manifest)));
  const workspace = createWorkspace(arena, config, tokens, PAGE_TOKENS);
  const decoder = new Decoder(config, kernels, arena, workspace, tensors, 'int8');
  const first = pool.create(tokens);
  const addresses = [...first.pages];
  first.free();
  const cache = pool.create(tokens);
  const visible = ids.map((_, i) => i + 1);
  decoder.forward([{ ids, start: 0, visible, pages: cache.pages }], PAGE_TOKENS, 0);
  const logits = decoder.logits(Int32Array.of(0, 7, 18)).slice();
  cache.free();
  return { logits, addresses, free: pool.freeTokens };
}

test.each(
  (['int4', 'int8', 'f32'] as Dtype[]).flatMap((dtype) => flavours.map((flavour) => [dtype, flavour] as const)),
)('%s weights behind the first 2 GiB, %s', async (dtype, flavour) => {
  const source = await convertFixture('tiny-qwen2', dtype);
  const low = await run(source, flavour, 0);
  const high = await run(source, flavour, 2 ** 31);
  expect(Math.min(...high.addresses)).toBeGreaterThan(2 ** 31);
  expect(high.logits).toEqual(low.logits);
  expect(high.logits.some((logit) => logit !== 0)).toBe(true);
  expect(high.free).toBe(PAGES * PAGE_TOKENS);
});
