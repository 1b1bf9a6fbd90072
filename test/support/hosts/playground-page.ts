/** The playground in a browser, by what a reader sees and does; and what a test wants to know of it besides. */
import type { BrowserContext, Page } from 'playwright-core';

export type Task = 'complete' | 'infill' | 'repair';

const PATIENCE_MS = 60_000;

/** How many of each a growing completion consists of. */
export interface Drawing {
  readonly masks: number;
  readonly drafts: number;
  readonly settled: number;
  readonly revised: number;
  readonly borders: number;
}

declare global {
  var drawings: readonly Drawing[];
}

export class PlaygroundPage {
  readonly page: Page;
  /** Errors on the console, and those that nothing caught. */
  readonly errors: string[] = [];
  /** Requests that went anywhere but to the page's own host. */
  readonly strangers: string[] = [];

  static async open(context: BrowserContext, url: URL): Promise<PlaygroundPage> {
    const playground = new PlaygroundPage(await context.newPage(), url);
    await playground.page.goto(url.href);
    await playground.editor.waitFor();
    return playground;
  }

  private constructor(page: Page, url: URL) {
    this.page = page;
    page.on('pageerror', ({ message }) => this.errors.push(message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.errors.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(url.origin) && !request.url().startsWith('data:'))
        this.strangers.push(request.url());
    });
  }

  get editor() {
    return this.page.getByRole('textbox', { name: 'Code' });
  }

  /** The editor's text, without what is still growing in it. */
  async text(): Promise<string> {
    const lines = await this.page.locator('.cm-line').evaluateAll((found) =>
      found.map((line) => {
        const copy = line.cloneNode(true) as Element;
        for (const growing of copy.querySelectorAll('.denoise')) growing.remove();
        return copy.textContent ?? '';
      }),
    );
    return lines.join('\n');
  }

  /** Types over everything. */
  async write(text: string): Promise<void> {
    await this.editor.press('Control+a');
    await this.page.keyboard.press('Delete');
    await this.page.keyboard.insertText(text);
  }

  async choose(name: 'mode' | 'where' | 'decoding', value: Task | 'server' | 'page' | 'auto' | 'own'): Promise<void> {
    // The radio buttons themselves are invisible under their labels.
    await this.page.locator(`input[name="${name}"][value="${value}"]`).check({ force: true });
  }

  async slide(id: 'block-length' | 'max-tokens' | 'temperature', value: number): Promise<void> {
    await this.page.locator(`#${id}`).fill(String(value));
  }

  async run(): Promise<void> {
    await this.editor.press('Control+Enter');
  }

  /** Waits until nothing runs. @returns the sentence for the reader */
  async ended(timeout = PATIENCE_MS): Promise<string> {
    await this.page.waitForFunction(() => !document.documentElement.hasAttribute('data-running'), null, { timeout });
    return this.sentence();
  }

  isRunning(): Promise<boolean> {
    return this.page.evaluate(() => document.documentElement.hasAttribute('data-running'));
  }

  async sentence(): Promise<string> {
    return `${await this.page.locator('#status').textContent()}${await this.page.locator('#problem').textContent()}`;
  }

  /** From now on, notes what each drawing of a growing completion consists of. Nothing is missed that was drawn. */
  async watch(): Promise<void> {
    await this.page.evaluate(() => {
      const drawings: Drawing[] = [];
      globalThis.drawings = drawings;
      const editor = document.querySelector('#editor');
      if (editor === null) throw new Error('no editor');
      new MutationObserver(() => {
        const count = (name: string) => editor.querySelectorAll(`.denoise .${name}`).length;
        if (editor.querySelector('.denoise') === null) return;
        drawings.push({
          masks: count('mask'),
          drafts: count('draft'),
          settled: count('settled'),
          revised: count('revised'),
          borders: count('block-start'),
        });
      }).observe(editor, { subtree: true, childList: true, attributes: true, characterData: true });
    });
  }

  /** What `watch` has noted. */
  drawings(): Promise<readonly Drawing[]> {
    return this.page.evaluate(() => globalThis.drawings);
  }

  /** Waits for so many of what a completion consists of: only for one that is long enough not to end before. */
  async growing(kind: 'mask' | 'draft' | 'settled', count = 1): Promise<void> {
    const grown = ([name, least]: readonly [string, number]) =>
      document.querySelectorAll(`#editor .denoise .${name}`).length >= least;
    await this.page.waitForFunction(grown, [kind, count] as const, { timeout: PATIENCE_MS });
  }

  /** The columns of the last race: their texts as they are shown. */
  lanes(): Promise<readonly string[]> {
    return this.page.locator('#race .lane').evaluateAll((lanes) => lanes.map((lane) => lane.textContent ?? ''));
  }

  async reading(label: string): Promise<string> {
    const group = this.page.locator('#readings > div', { has: this.page.locator(`dt:text-is("${label}")`) });
    return (await group.locator('dd').textContent()) ?? '';
  }
}
