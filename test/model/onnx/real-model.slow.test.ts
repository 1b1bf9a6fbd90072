/** The shipped model on ONNX Runtime, all its layers: the greedy text of 20 prompts is PyTorch's, on WASM and on WebGPU. */
import { expect, test } from 'vitest';
import { provideWebGpu } from '../../../src/hosts/node/host/onnx.ts';
import { checkGreedyTexts, greedyTexts, shippedModel } from '../../support/engines/greedy-texts.ts';
import { onnxModel } from '../../support/engines/runtimes.ts';
import { chooseFastest, hideFeature } from '../../support/engines/software-adapters.ts';

const TOKENS = 8;
/** A lead over the second logit that another order of the sums may turn around. */
const NEAR_TIE = 0.02;

const texts = await greedyTexts();
chooseFastest();
await provideWebGpu();
// With it the arithmetic is fp16, which `half-precision.slow.test.ts` compares.
hideFeature('shader-f16');

test.each(['wasm', 'webgpu'] as const)(
  'greedy text of 20 prompts, ONNX on %s',
  { timeout: 3_600_000 },
  async (provider) => {
    const model = await onnxModel(shippedModel, provider, 64);
    expect(texts.length).toBe(20);
    if (provider === 'webgpu') expect(model.adapter).toMatch(/fp32$/);
    await checkGreedyTexts(model, texts, TOKENS, NEAR_TIE, 1);
    await model.release();
  },
);
