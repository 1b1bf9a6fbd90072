/** Headless Chromium, and one page in it for each contender of the decode bench. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { InputError } from '../../../scripts/suites.ts';
import type { TimedCompletion } from '../../timed-completion.ts';
import type { BenchSite } from './site.ts';

/** The path of Debian's package. */
export const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** WebGPU on Chromium's own adapter, which needs no graphics card. */
const SOFTWARE_GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

export async function launchChromium({ softwareGpu = false } = {}): Promise<Browser> {
  if (!existsSync(EXECUTABLE)) {
    throw new InputError(`${EXECUTABLE} is missing: install Debian's package chromium, or name a Chromium in CHROMIUM`);
  }
  // Without a user namespace to isolate in (root, containers) it starts only unsandboxed; all pages are the bench's own.
  const args = ['--no-sandbox', ...(softwareGpu ? SOFTWARE_GPU : [])];
  return chromium.launch({ executablePath: EXECUTABLE, args });
}

/** A page with its model loaded. Contenders run one at a time: the others' pages are idle. */
export class ContenderPage {
  /** The loaded model, in words. */
  readonly description: string;
  readonly #page: Page;

  static async open(browser: Browser, site: BenchSite, name: string): Promise<ContenderPage> {
    const page = await browser.newPage();
    const failures: string[] = [];
    page.on('pageerror', (error) => failures.push(error.message));
    page.on('console', (message) => message.type() === 'error' && failures.push(message.text()));
    try {
      await page.goto(new URL(`/${name}.html`, site.url).href);
      // The page's module may still be waiting for its imports.
      await page.waitForFunction(() => globalThis.contender !== undefined, null, { timeout: 60_000 });
      return new ContenderPage(page, await page.evaluate(() => contender.load()));
    } catch (error) {
      throw new Error(`${name} did not start: ${[error, ...failures].join('; ')}`);
    }
  }

  private constructor(page: Page, description: string) {
    this.#page = page;
    this.description = description;
  }

  complete(prompt: string, tokens: number): Promise<TimedCompletion> {
    return this.#page.evaluate(([text, count]) => contender.complete(text, count), [prompt, tokens] as const);
  }
}
