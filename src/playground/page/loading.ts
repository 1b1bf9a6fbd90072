/** Shows the reader how far the model in the page has loaded. */
import type { OfferedModel } from '../shared/offered-model.ts';
import type { LoadProgress } from '../shared/protocol.ts';
import { element } from './elements.ts';
import type { LoadListener } from './run/page-runner.ts';

export class LoadPanel implements LoadListener {
  readonly #bar = element('load-progress', HTMLProgressElement);
  readonly #state = element('load-state', HTMLElement);

  offer(models: readonly OfferedModel[]): void {
    const [model] = models;
    if (model) this.#state.textContent = `Not loaded. ${mebibytes(model.bytes)} of weights, kept in this browser.`;
  }

  progress({ loaded, total, cached }: LoadProgress): void {
    this.#bar.hidden = false;
    this.#bar.value = loaded / total;
    const kept = cached === 0 ? '' : cached === total ? ', from this browser' : `, ${mebibytes(cached)} were here`;
    this.#state.textContent =
      loaded < total ? `${mebibytes(loaded)} of ${mebibytes(total)}${kept}` : `Preparing ${mebibytes(total)}${kept}`;
  }

  loaded(description: string, warnings: readonly string[]): void {
    this.#bar.hidden = true;
    this.#state.textContent = [`${description}.`, ...warnings].join(' ');
  }

  unloaded(): void {
    this.#bar.hidden = true;
    this.#state.textContent = 'Not loaded. Weights that were fetched stay in this browser.';
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
