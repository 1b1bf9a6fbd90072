/** Seedling and its peers side by side in one headless Chromium: block length 1, one thread each, the same prompts. */
import type { Browser } from 'playwright-core';
import { median, round } from '../median.ts';
import { npmPeer } from '../npm-peer.ts';
import { type TimedCompletion, tokensPerSecond } from '../timed-completion.ts';
import { ContenderPage, launchChromium } from './browser/chromium.ts';
import { type BenchSite, type PeerFiles, startSite } from './browser/site.ts';
import { baseGguf } from './peers/base-gguf.ts';
import { onnxModel } from './peers/onnx-model.ts';

const OWN = 'seedling';
export const BROWSER_PEERS = ['wllama', 'transformers-js'] as const;
export type BrowserPeer = (typeof BROWSER_PEERS)[number];

export class PeerDecode {
  /** Why transformers.js is not among the peers. Null if it is. */
  readonly absence: string | null;
  readonly #browser: Browser;
  readonly #site: BenchSite;
  readonly #pages: ReadonlyMap<string, ContenderPage>;
  readonly #runs = new Map<string, TimedCompletion[]>();
  readonly #ratios = new Map<string, number[]>();

  /** Null without peers: Seedling alone is measured in Node. */
  static async open(peers: readonly BrowserPeer[]): Promise<PeerDecode | null> {
    if (peers.length === 0) return null;
    const browser = await launchChromium();
    const gguf = await baseGguf();
    const wanted = peers.includes('transformers-js');
    const { files, absence } = wanted ? await transformersJsFiles() : { files: null, absence: 'not asked for' };
    const site = await startSite({ gguf, transformersJs: files });
    const names: string[] = [OWN, ...peers.filter((name) => name === 'wllama' || files)];
    const pages = new Map<string, ContenderPage>();
    try {
      for (const name of names) {
        const page = await ContenderPage.open(browser, site, name);
        await page.complete('const a = ', 4);
        console.log(`in Chromium: ${page.description}`);
        pages.set(name, page);
      }
    } catch (error) {
      await browser.close();
      await site.stop();
      throw error;
    }
    return new PeerDecode(browser, site, pages, absence);
  }

  private constructor(
    browser: Browser,
    site: BenchSite,
    pages: ReadonlyMap<string, ContenderPage>,
    absence: string | null,
  ) {
    this.#browser = browser;
    this.#site = site;
    this.#pages = pages;
    this.absence = absence;
  }

  /** One prompt on every page, in turn. */
  async decode(prompt: string, tokens: number): Promise<void> {
    let own = Number.NaN;
    for (const [name, page] of this.#pages) {
      const run = await page.complete(prompt, tokens);
      push(this.#runs, name, run);
      const speed = tokensPerSecond(run);
      if (name === OWN) own = run.tokens >= tokens / 4 ? speed : Number.NaN;
      else if (!Number.isNaN(own)) push(this.#ratios, name, own / speed);
    }
  }

  /** Speed of Seedling over that of a peer: the median over prompts and rounds. Null where the peer is absent. */
  ratio(peer: BrowserPeer): number | null {
    return this.#pages.has(peer) ? round(median(this.#ratios.get(peer)!)) : null;
  }

  /** Tokens per second and milliseconds to the first token, medians. Null where the contender is absent. */
  figures(name: BrowserPeer | typeof OWN): { speed: number; firstMs: number } | null {
    const runs = this.#runs.get(name);
    if (!runs) return null;
    return {
      speed: round(median(runs.map(tokensPerSecond).filter(Number.isFinite)), 1),
      firstMs: round(median(runs.map((run) => run.firstMs)), 0),
    };
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    await this.#site.stop();
  }
}

/** This peer needs an export that PyTorch makes. If that fails, the bench goes on without it and says why. */
async function transformersJsFiles(): Promise<{ files: PeerFiles['transformersJs']; absence: string | null }> {
  try {
    const modules = await npmPeer('transformers-js', new URL('peers/transformers-js/', import.meta.url));
    return { files: { model: await onnxModel(), modules }, absence: null };
  } catch (error) {
    const absence = error instanceof Error ? error.message : String(error);
    console.log(`without transformers.js: ${absence}`);
    return { files: null, absence };
  }
}

function push<T>(map: Map<string, T[]>, name: string, value: T): void {
  const values = map.get(name);
  if (values) values.push(value);
  else map.set(name, [value]);
}
