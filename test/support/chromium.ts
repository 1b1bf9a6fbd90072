/** Headless Chromium for tests and screenshots, where there is one. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Where Debian's package puts it. */
const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Why there is no Chromium; null where there is. */
export const absence = existsSync(EXECUTABLE)
  ? null
  : `${EXECUTABLE} is missing: install Debian's package chromium, or name a Chromium in CHROMIUM`;

/** Flags that give it a WebGPU adapter without a GPU. */
export const SOFTWARE_ADAPTER = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

export async function launchChromium(args: readonly string[] = []): Promise<Browser> {
  if (absence !== null) throw new Error(absence);
  // Without a user namespace to isolate in (root, containers) it starts only unsandboxed; all pages are the project's own.
  return chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox', ...args] });
}
