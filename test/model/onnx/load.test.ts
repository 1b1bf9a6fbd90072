import { expect, test } from 'vitest';
import { loadOnnxModel } from '../../../src/model/onnx/load.ts';
import { readModelConfig } from '../../../src/model/weight-source.ts';
import { convertFixture } from '../../support/engines/models.ts';

test.each([
  [{ contextAttention: 'full' }, 'contextAttention full runs on RUNTIME=wasm only'],
  [{ contextAttention: 'block_causal', grid: 'prompt_end' }, 'grid prompt_end runs on RUNTIME=wasm only'],
] as const)('refuses %j before anything is loaded', async (semantics, message) => {
  const source = await convertFixture('tiny-llama', 'int4');
  const config = { ...(await readModelConfig(source)), ...semantics };
  const loading = loadOnnxModel(source, config, { provider: 'wasm', kvTokens: 64 });
  await expect(loading).rejects.toMatchObject({ name: 'ModelLoadError', message });
});
