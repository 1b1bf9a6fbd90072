/** Vulkan drivers that need no graphics card, by their ICD files; Dawn in Node takes the one that VK_ICD_FILENAMES names. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** SwiftShader, which Debian's Chromium brings: what the conformance suite runs on, in Node and in Chromium. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const SYSTEM_DRIVERS = '/usr/share/vulkan/icd.d';

/** The machine's adapter where VK_ICD_FILENAMES names one, else SwiftShader where it is. */
export function chooseSwiftShader(): void {
  if (existsSync(SWIFTSHADER)) process.env.VK_ICD_FILENAMES ??= SWIFTSHADER;
}

/**
 * The machine's adapter where VK_ICD_FILENAMES names one, else Mesa's lavapipe, else SwiftShader. Lavapipe compiles to the
 * processor's widest instructions: in `npm run test:slow` a forward of the shipped model took half the time. It has
 * `shader-f16`. Dawn takes it from Mesa 25 on.
 */
export function chooseFastest(): void {
  const drivers = existsSync(SYSTEM_DRIVERS) ? readdirSync(SYSTEM_DRIVERS) : [];
  const lavapipe = drivers.find((file) => file.startsWith('lvp_icd'));
  if (lavapipe) process.env.VK_ICD_FILENAMES ??= join(SYSTEM_DRIVERS, lavapipe);
  chooseSwiftShader();
}

/** @param adapter as `OnnxModel` names it */
export function isSoftware(adapter: string): boolean {
  return /swiftshader|llvmpipe|software/i.test(adapter);
}

/** From now on `navigator.gpu` has adapters without that feature. */
export function hideFeature(feature: string): void {
  const { gpu } = navigator;
  const requestAdapter = async (options?: GPURequestAdapterOptions) => {
    const adapter = await gpu.requestAdapter(options);
    if (!adapter) return null;
    const features = new Set([...adapter.features].filter((name) => name !== feature));
    const { limits, info } = adapter;
    return { features, limits, info, requestDevice: (wanted?: GPUDeviceDescriptor) => adapter.requestDevice(wanted) };
  };
  Object.defineProperty(navigator, 'gpu', { value: { requestAdapter }, configurable: true });
}
