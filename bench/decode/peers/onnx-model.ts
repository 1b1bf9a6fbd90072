/** The same base model as ONNX for transformers.js. It is exported here, so no hub is needed. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cachePath, runCommand } from '../../cache.ts';
import { baseGguf } from './base-gguf.ts';

const PACKAGES = [
  'optimum-onnx==0.1.0',
  'transformers==4.57.6', // the newest that this optimum-onnx exports
  'torch==2.13.0',
  'onnx==1.23.2',
  'onnxruntime==1.30.0',
  'gguf==0.19.0',
  'accelerate',
] as const;

/** SmolLM2's tokenizer. Only the name of the mask token differs. */
const TOKENIZER = 'models/seedling-135m/tokenizer.json';

/**
 * Directory with `onnx/model_quantized.onnx` and its configuration, made the first time with PyTorch and optimum in a
 * Python environment that is removed afterwards (1.3 GB or more, some minutes).
 */
export async function onnxModel(): Promise<string> {
  const model = cachePath('onnx', 'smollm2-135m');
  if (existsSync(model)) return model;
  const gguf = await baseGguf();
  await mkdir(cachePath('onnx'), { recursive: true });
  console.log(
    'exporting the base model to ONNX for transformers.js, once: PyTorch and optimum in an environment of their own',
  );
  const environment = await mkdtemp(cachePath('onnx', 'environment-'));
  try {
    await runCommand('python3', ['-m', 'venv', environment]);
    const python = join(environment, 'bin', 'python');
    await runCommand(python, ['-m', 'pip', 'install', '-q', ...PACKAGES]);
    const script = new URL('export_onnx.py', import.meta.url).pathname;
    await runCommand(python, [script, gguf, TOKENIZER, model]);
  } finally {
    await rm(environment, { recursive: true, force: true });
  }
  return model;
}
