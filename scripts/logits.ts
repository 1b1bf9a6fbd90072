/**
 * `node scripts/logits.ts DIRECTORY QUESTION.json OUT`: logits of a converted model's committed positions, for
 * `python -m recipe parity`.
 *
 * QUESTION.json has `text`, which is printed as the ids that this tokenizer makes of it, and `ids` (N). OUT gets float32
 * (N, V). Kernels and cache are those of the server, ACTIVATIONS included.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { loadTokenizer } from '../src/engine/tokenizer/tokenizer.ts';
import { readSettings } from '../src/hosts/settings.ts';
import { WasmModel } from '../src/model/wasm-model.ts';
import { readModelConfig } from '../src/model/weight-source.ts';
import { directorySource } from '../src/sources/directory.ts';
import { kernelModules } from '../test/support/engines/kernels.ts';

const questionSchema = z.object({ text: z.string(), ids: z.array(z.int().nonnegative()).min(1) });

/** Positions of one commit: a multiple of every block length. */
const TILE = 64;

/** (N, V) */
async function logitsOf(model: WasmModel, ids: Int32Array): Promise<Float32Array> {
  const { vocabSize, contextAttention, blockLength } = model.config;
  const all = new Float32Array(ids.length * vocabSize);
  const cache = model.createCache(ids.length);
  // Under full context nothing is committed: every position is in one forward.
  const step = contextAttention === 'full' ? ids.length : Math.floor(TILE / blockLength) * blockLength || TILE;
  for (let start = 0; start < ids.length; start += step) {
    const part = ids.subarray(start, start + step);
    // Asking for the first row's prediction makes the hidden states of all rows available.
    if (contextAttention === 'full') await model.denoise(part, cache, { positions: Int32Array.of(1) });
    else await model.commit(part, cache, { rows: 'all' });
    for (const row of part.keys()) {
      const logits = model.decoder.logits(Int32Array.of(row));
      all.set(logits.subarray(0, vocabSize), (start + row) * vocabSize);
    }
  }
  return all;
}

const [directory, question, out, ...rest] = process.argv.slice(2);
if (directory === undefined || question === undefined || out === undefined || rest.length > 0) {
  throw new Error('usage: node scripts/logits.ts DIRECTORY QUESTION.json OUT');
}
const { text, ids } = questionSchema.parse(JSON.parse(await readFile(question, 'utf8')));
const source = directorySource(directory);
const config = await readModelConfig(source);
const tokenizer = loadTokenizer(await source.json('tokenizer.json'), config.maskTokenId);
const model = await WasmModel.load(source, config, {
  kernels: kernelModules,
  activations: readSettings(process.env).activations,
  // All that WebAssembly can address: a checkpoint in float32 is larger than what a server holds.
  memoryBudget: 4 * 2 ** 30 - 2 ** 16,
  kvTokens: ids.length,
  prefixCache: false,
});
await writeFile(out, new Uint8Array((await logitsOf(model, Int32Array.from(ids))).buffer));
console.log(JSON.stringify({ ids: [...tokenizer.encode(text, 'content')], config }));
