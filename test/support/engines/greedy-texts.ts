/**
 * The greedy texts that PyTorch wrote with the shipped model, and whether a runtime writes them too. Given the text, one
 * forward has the argmax behind each of its tokens: equal argmaxes are the same text, one at a time.
 */
import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import type { OnnxModel } from '../../../src/model/onnx/onnx-model.ts';
import { directorySource } from '../../../src/sources/directory.ts';
import { fixture } from './models.ts';

const NAME = 'seedling-135m';

export interface GreedyText {
  readonly ids: number[];
  readonly continuation: number[]; // (32)
  /** Lead of each over the second logit, in PyTorch's floats. */
  readonly margin: number[]; // (32)
}

export const shippedModel = directorySource(new URL(`../../../models/${NAME}`, import.meta.url).pathname);

export async function greedyTexts(): Promise<readonly GreedyText[]> {
  return JSON.parse(await readFile(fixture(`${NAME}.golden.json`), 'utf8')).greedy;
}

/**
 * Expects the texts, but for near ties: where a text parts from PyTorch's, the two logits were that close.
 * @param tokens of each text
 * @param nearTie a lead over the second logit that the runtime's own arithmetic may turn around
 * @param ties how many texts may end in one
 */
export async function checkGreedyTexts(
  model: OnnxModel,
  texts: readonly GreedyText[],
  tokens: number,
  nearTie: number,
  ties: number,
): Promise<void> {
  const leads: number[] = [];
  let rows = 0;
  const start = performance.now();
  for (const { ids, continuation, margin } of texts) {
    const cache = model.createCache(ids.length + tokens);
    const text = continuation.slice(0, tokens);
    const given = Int32Array.from([...ids, ...text.slice(0, -1)]);
    const predicted = (await model.commit(given, cache, { rows: 'all' })).ids.slice(ids.length - 1);
    cache.free();
    rows += given.length;
    expect(predicted.length).toBe(tokens);
    const parted = text.findIndex((id, i) => predicted[i] !== id);
    if (parted !== -1) leads.push(margin[parted] ?? Number.NaN);
  }
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(
    `${model.adapter}: ${texts.length - leads.length} of ${texts.length} texts of ${tokens} tokens are PyTorch's; ` +
      `the others part where its lead was [${leads.map((lead) => lead.toFixed(3))}]; ` +
      `${texts.length} forwards of ${rows} rows in all, ${model.config.numLayers} layers, ${seconds} s`,
  );
  for (const lead of leads) expect(lead).toBeLessThan(nearTie);
  expect(leads.length).toBeLessThanOrEqual(ties);
}
