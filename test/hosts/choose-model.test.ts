import { expect, test } from 'vitest';
import { chooseModel, type OnnxLoader } from '../../src/hosts/choose-model.ts';
import { NoAdapterError } from '../../src/model/errors.ts';
import { readModelConfig } from '../../src/model/weight-source.ts';
import { FakeModel } from '../support/engines/fake-model.ts';
import { kernelModules } from '../support/engines/kernels.ts';
import { convertFixture } from '../support/engines/models.ts';

const source = await convertFixture('tiny-llama', 'int4');
const config = await readModelConfig(source);
const options = {
  kernels: kernelModules,
  activations: 'int8',
  memoryBudget: 1 << 30,
  kvTokens: 64,
  prefixCache: false,
} as const;

/** Notes which provider was asked for. */
function loader(asked: string[], failure?: Error): OnnxLoader {
  return async (_source, _config, { provider, kvTokens }) => {
    asked.push(`${provider} ${kvTokens}`);
    if (failure) throw failure;
    return new FakeModel();
  };
}

test.each([
  ['webgpu', 'webgpu 64'],
  ['onnx', 'wasm 64'],
  ['auto', 'webgpu 64'],
] as const)('%s is %s of ONNX Runtime', async (runtime, provider) => {
  const asked: string[] = [];
  const model = await chooseModel(source, config, options, { runtime, load: loader(asked) });
  expect(asked).toEqual([provider]);
  expect(model).toBeInstanceOf(FakeModel);
});

test('without a choice ONNX Runtime is not asked', async () => {
  expect((await chooseModel(source, config, options, null)).runtime).toBe('wasm');
});

test('no adapter: an error that says so, and only auto takes the kernels instead', async () => {
  const load = loader([], new NoAdapterError('no adapter'));
  await expect(chooseModel(source, config, options, { runtime: 'webgpu', load })).rejects.toThrow('no adapter');
  expect((await chooseModel(source, config, options, { runtime: 'auto', load })).runtime).toBe('wasm');
  const broken = loader([], new Error('shader'));
  await expect(chooseModel(source, config, options, { runtime: 'auto', load: broken })).rejects.toThrow('shader');
});
