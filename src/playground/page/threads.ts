/** How many threads a model in the page gets: the reader's choice, if the browser shares memory among workers. */
import { element } from './elements.ts';

/** A fifth of a forward stays on one thread: with this many it is two thirds of the time that is left. */
const MOST = 8;
const MOST_CHOSEN_ALONE = 4;

const NOT_ISOLATED =
  'One thread: this page came without the headers of cross-origin isolation, or not over HTTPS, so its workers cannot share memory.';

/** Two hardware threads are mostly one core. */
function automatic(hardware: number): number {
  return Math.max(1, Math.min(MOST_CHOSEN_ALONE, Math.ceil(hardware / 2)));
}

/** Offers what there is, and says why where there is nothing to choose. Before the kept choice is restored. */
export function offerThreads(): void {
  const select = element('threads', HTMLSelectElement);
  const hardware = navigator.hardwareConcurrency;
  const most = crossOriginIsolated ? Math.min(hardware, MOST) : 1;
  const counts = Array.from({ length: most }, (_, i) => i + 1);
  const auto = new Option(`automatic (${crossOriginIsolated ? automatic(hardware) : 1})`, 'auto');
  select.replaceChildren(auto, ...counts.map((count) => new Option(`${count}`)));
  select.disabled = !crossOriginIsolated;
  element('threads-note', HTMLElement).textContent = crossOriginIsolated ? '' : NOT_ISOLATED;
}

/** Threads of a model that is loaded now. */
export function chosenThreads(): number {
  if (!crossOriginIsolated) return 1;
  const { value } = element('threads', HTMLSelectElement);
  return value === 'auto' ? automatic(navigator.hardwareConcurrency) : Number(value);
}
