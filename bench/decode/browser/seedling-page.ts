/** Seedling in a browser, from the same files as on the other hosts. */

import type { Engine } from '../../../src/engine/engine.ts';
import { assembleEngine } from '../../../src/hosts/assemble.ts';
import { readSettings } from '../../../src/hosts/settings.ts';
import { kernelFlavour } from '../../../src/kernels/kernels.ts';
import { assetsSource } from '../../../src/sources/assets.ts';
import { completeTimed } from '../../complete-timed.ts';

const settings = readSettings({});
const source = assetsSource({ fetch: (url) => fetch(new URL(url).pathname) }, settings.model);
let engine: Engine;

globalThis.contender = {
  async load() {
    const [relaxed, simd] = await Promise.all(
      ['relaxed', 'simd'].map((build) => WebAssembly.compileStreaming(fetch(`/build/kernels-${build}.wasm`))),
    );
    engine = await assembleEngine({ ...settings, source, kernels: { relaxed: relaxed!, simd: simd! } });
    return `${settings.model}, ${kernelFlavour()} kernels`;
  },
  async complete(prompt, tokens) {
    return (await completeTimed(engine, prompt, tokens, { block_length: 1 })).timed;
  },
};
