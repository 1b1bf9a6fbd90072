import { expect, test } from 'vitest';
import { onnxOnNode } from '../../../src/hosts/node/host/onnx.ts';
import { SettingsError } from '../../../src/hosts/settings.ts';

test.each(['onnx', 'webgpu', 'auto'] as const)('RUNTIME=%s is ONNX Runtime where its packages are', (runtime) => {
  expect(onnxOnNode({ runtime })?.runtime).toBe(runtime);
});

test.each([
  ['onnx', [], 'Setting RUNTIME is onnx, but onnxruntime-web is not installed: '],
  ['webgpu', [], 'Setting RUNTIME is webgpu, but onnxruntime-web and webgpu are not installed: '],
  ['webgpu', ['onnxruntime-web'], 'Setting RUNTIME is webgpu, but webgpu is not installed: '],
] as const)('RUNTIME=%s with only %j installed: one sentence that says what to install', (runtime, names, sentence) => {
  const start = () => onnxOnNode({ runtime }, (name) => (names as readonly string[]).includes(name));
  expect(start).toThrow(SettingsError);
  expect(start).toThrow(sentence);
  expect(start).toThrow(/npm install .* onnxruntime-web@\^\d/);
});

test('RUNTIME=wasm asks for no package, and auto falls to the kernels without them', () => {
  const none = () => false;
  expect(onnxOnNode({ runtime: 'wasm' }, none)).toBeUndefined();
  expect(onnxOnNode({ runtime: 'auto' }, none)).toBeUndefined();
});
