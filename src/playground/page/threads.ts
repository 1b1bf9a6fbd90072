/** How many threads a model in the page gets: the reader's choice, if the browser shares memory among workers. */
import { element } from './elements.ts';

/** A fifth of a forward runs on one thread. With eight threads that fifth is two thirds of the remaining time. */
const MOST = 8;
const MOST_CHOSEN_ALONE = 4;

const NOT_ISOLATED =
  'One thread: this page came without the headers of cross-origin isolation, or not over HTTPS, so its workers cannot share memory.';

/** Most cores have two hardware threads. One thread for each core is enough. */
function automatic(hardware: number): number {
  return Math.max(1, Math.min(MOST_CHOSEN_ALONE, Math.ceil(hardware / 2)));
}

/** Fills the menu, or says why there is no choice. Call it before the kept choice is restored. */
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

/** How many threads a model gets that is loaded now. */
export function chosenThreads(): number {
  if (!crossOriginIsolated) return 1;
  const { value } = element('threads', HTMLSelectElement);
  return value === 'auto' ? automatic(navigator.hardwareConcurrency) : Number(value);
}
