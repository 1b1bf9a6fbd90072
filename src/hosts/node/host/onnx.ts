/** ONNX Runtime on Node. There WebGPU is Dawn from the package `webgpu`. Both packages are optional: see `package.json`. */
import manifest from '../../../../package.json' with { type: 'json' };
import type { OnnxChoice, OnnxLoader } from '../../choose-model.ts';
import { type Settings, SettingsError } from '../../settings.ts';

/** The optional packages that each runtime needs. */
const PACKAGES = {
  onnx: ['onnxruntime-web'],
  webgpu: ['onnxruntime-web', 'webgpu'],
  auto: ['onnxruntime-web', 'webgpu'],
} as const;

/**
 * Undefined: the project's own kernels run the model. `auto` uses them too if a package is missing.
 * @throws SettingsError saying what to install
 */
export function onnxOnNode({ runtime }: Pick<Settings, 'runtime'>, installed = isInstalled): OnnxChoice | undefined {
  if (runtime === 'wasm') return undefined;
  const missing = PACKAGES[runtime].filter((name) => !installed(name));
  if (missing.length === 0) return { runtime, load };
  if (runtime === 'auto') return undefined;
  // --save-prod: npm would count these as development packages and leave them out. --no-save: package.json stays.
  const install = 'npm install --omit=dev --no-save --save-prod';
  const packages = PACKAGES[runtime].map((name) => `${name}@${manifest.peerDependencies[name]}`);
  throw new SettingsError(
    `Setting RUNTIME is ${runtime}, but ${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not installed: ${install} ${packages.join(' ')}`,
  );
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}

const load: OnnxLoader = async (source, config, options) => {
  if (options.provider === 'webgpu') await provideWebGpu();
  const { loadOnnxModel } = await import('../../../model/onnx/load.ts');
  return loadOnnxModel(source, config, options);
};

/** Makes `navigator.gpu` what it is in a browser. Without a graphics driver it has no adapters. */
export async function provideWebGpu(): Promise<void> {
  if ('gpu' in navigator) return;
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  // Something has to refer to Dawn: if it is collected, the process crashes.
  Object.defineProperty(navigator, 'gpu', { value: create([]), configurable: true });
}
