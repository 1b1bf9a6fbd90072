/** The settings form. It turns the reader's choices into parts of a job. */
import { DEFAULTS } from '../../engine/defaults.ts';
import type { PolicyName } from '../../sampler/policies/index.ts';
import { AUTOMATIC, type JobDecoding } from '../shared/job.ts';
import type { PageRuntime } from '../shared/protocol.ts';
import type { Language } from './editor/editor.ts';
import { all, element } from './elements.ts';
import { settingsStore, tabStore } from './keep.ts';
import { POLICIES } from './policies.ts';

export type Mode = 'complete' | 'infill' | 'repair';
export type Where = 'server' | 'page';

/** Stops of the block length's slider. Null leaves the choice to the host. */
const BLOCK_LENGTHS = [null, 1, 2, 4, 8, 16, 32] as const;

const select = (id: string) => element(id, HTMLSelectElement);
const input = (id: string) => element(id, HTMLInputElement);

export class Controls {
  readonly #policy = select('policy');
  readonly #parameter = input('parameter');
  readonly #blockLength = input('block-length');
  readonly #verify = input('verify');
  readonly #temperature = input('temperature');
  readonly #maxTokens = input('max-tokens');
  readonly #seed = input('seed');
  readonly #key = input('api-key');
  readonly #onChange: () => void;

  /** Shows the API's defaults, or the reader's choices of an earlier visit. @param onChange called after each choice */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.#policy.append(...Object.entries(POLICIES).map(([name, { label }]) => new Option(label, name)));
    this.#policy.value = DEFAULTS.policy;
    this.#temperature.value = String(DEFAULTS.temperature);
    // The page writes into code, as the FIM endpoint does.
    this.#maxTokens.value = String(DEFAULTS.maxTokens.fim);
    this.#restore();
    this.#key.value = tabStore.get('key') ?? '';
    document.addEventListener('input', ({ target }) => this.#changed(target));
    this.#show();
  }

  get mode(): Mode {
    return chosen('mode') as Mode;
  }

  get where(): Where {
    return chosen('where') as Where;
  }

  get atCursor(): boolean {
    return select('place').value === 'cursor';
  }

  get language(): Language {
    return select('language').value as Language;
  }

  get instruction(): string | null {
    return input('instruction').value.trim() || null;
  }

  get apiKey(): string {
    return this.#key.value.trim();
  }

  get runtime(): PageRuntime {
    return select('runtime').value as PageRuntime;
  }

  get model(): string {
    return select('model').value;
  }

  get maxTokens(): number {
    return this.#maxTokens.valueAsNumber;
  }

  get temperature(): number {
    return this.#temperature.valueAsNumber;
  }

  /** A whole number. An empty field means 0. */
  get seed(): number {
    return Math.trunc(this.#seed.valueAsNumber) || 0;
  }

  get decoding(): JobDecoding {
    return chosen('decoding') === 'own' ? this.#ownDecoding : AUTOMATIC;
  }

  get #ownDecoding(): JobDecoding {
    const policy = this.#policy.value as PolicyName;
    const blockLength = BLOCK_LENGTHS[this.#blockLength.valueAsNumber] ?? null;
    const { name } = POLICIES[policy].slider;
    const value = this.#parameter.valueAsNumber;
    // No block takes more steps than it has positions.
    const steps = name === 'steps' ? Math.min(value, blockLength ?? value) : value;
    return { policy, parameters: { [name]: steps }, blockLength, verify: this.#verify.checked };
  }

  /** Fills the menu of models that this page can run. */
  offerModels(names: readonly string[]): void {
    const kept = settingsStore.get('model');
    select('model').replaceChildren(...names.map((name) => new Option(name, name, false, name === kept)));
  }

  focusKey(): void {
    this.#key.focus();
  }

  #changed(target: EventTarget | null): void {
    if (!(target instanceof HTMLInputElement || target instanceof HTMLSelectElement)) return;
    if (target === this.#key) tabStore.set('key', this.apiKey);
    else if (target.name !== '')
      settingsStore.set(target.name, target.type === 'checkbox' ? `${target.checked}` : target.value);
    if (target === this.#policy || target === this.#verify) this.#resetParameter();
    this.#show();
    this.#onChange();
  }

  #restore(): void {
    for (const field of all('[name]', HTMLElement)) {
      if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement)) continue;
      const kept = settingsStore.get(field.name);
      if (kept === null) continue;
      if (field.type === 'radio') (field as HTMLInputElement).checked = field.value === kept;
      else if (field.type === 'checkbox') (field as HTMLInputElement).checked = kept === 'true';
      else if (field instanceof HTMLInputElement || [...field.options].some(({ value }) => value === kept))
        field.value = kept;
    }
    this.#shapeParameter();
    const parameter = settingsStore.get('parameter');
    if (parameter === null) this.#resetParameter();
    else this.#parameter.value = parameter;
  }

  #shapeParameter(): void {
    const { min, max, step } = POLICIES[this.#policy.value as PolicyName].slider;
    Object.assign(this.#parameter, { min: `${min}`, max: `${max}`, step: `${step}` });
  }

  #resetParameter(): void {
    this.#shapeParameter();
    const { value, verifiedValue = value } = POLICIES[this.#policy.value as PolicyName].slider;
    this.#parameter.value = String(this.#verify.checked ? verifiedValue : value);
    settingsStore.set('parameter', this.#parameter.value);
  }

  /** Updates labels, the values beside sliders, and the fields that belong to the mode and the place of the run. */
  #show(): void {
    const { note, slider } = POLICIES[this.#policy.value as PolicyName];
    element('parameter-label', HTMLElement).textContent = slider.label;
    element('policy-note', HTMLElement).textContent = note;
    const { blockLength } = this.#ownDecoding;
    const tokens = blockLength === 1 ? '1 token' : `${blockLength} tokens`;
    const shown: readonly (readonly [HTMLInputElement, string])[] = [
      [this.#parameter, this.#parameter.value],
      [this.#blockLength, blockLength === null ? 'automatic' : tokens],
      [this.#temperature, this.temperature === 0 ? '0, greedy' : String(this.temperature)],
      [this.#maxTokens, String(this.maxTokens)],
    ];
    for (const [slider, text] of shown) {
      element(`${slider.id}-value`, HTMLOutputElement).textContent = text;
      slider.setAttribute('aria-valuetext', text);
    }
    element('own-decoding', HTMLElement).hidden = chosen('decoding') !== 'own';
    // Only this project's kernels run on several threads here.
    element('threads-field', HTMLElement).hidden = this.runtime !== 'wasm';
    const { dataset } = document.documentElement;
    dataset.mode = this.mode;
    dataset.where = this.where;
    for (const part of all('[data-for]', HTMLElement)) {
      part.hidden = !part.dataset.for?.split(' ').some((name) => name === this.mode || name === this.where);
    }
  }
}

function chosen(name: string): string {
  const radio = document.querySelector(`input[name="${name}"]:checked`);
  if (radio instanceof HTMLInputElement) return radio.value;
  throw new Error(`nothing is chosen for ${name}`);
}
