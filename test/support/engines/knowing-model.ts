import type { CommitAsk, DenoiseAsk, KvCache, Predictions } from '../../../src/model/model.ts';
import { EOS, START } from './byte-tokenizer.ts';
import { type FakeCache, FakeModel, type FakeModelOptions } from './fake-model.ts';

/** Tokens of context by which a place in the text is recognised. */
const CONTEXT = 3;
/** What it says where it is lost. */
const LOST = 126;

interface Guess {
  readonly id: number;
  readonly prob: number;
}

/**
 * A model that knows one text by heart, token by token: it is sure of a token whose neighbours it recognises, doubts where
 * only those before fit, and is lost where they do not. So one wrong token makes those after it improbable too.
 */
export class KnowingModel extends FakeModel {
  #text: number[] = [];

  constructor(text: string, options: FakeModelOptions = {}) {
    super({ predictsVisible: true, ...options });
    this.know(text);
  }

  /** Another text from now on. Every three tokens of it must occur once, or places could not be told apart. */
  know(text: string): void {
    this.#text = [START, ...new TextEncoder().encode(text), EOS];
    const seen = this.#text.slice(CONTEXT - 1).map((_, i) => this.#text.slice(i, i + CONTEXT).join());
    const twice = seen.find((context, i) => seen.indexOf(context) !== i);
    if (twice !== undefined) throw new Error(`the text says ${twice} twice`);
  }

  override async commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions> {
    const predictions = await super.commit(ids, cache, ask);
    const committed = (cache as FakeCache).ids;
    const first = committed.length - predictions.ids.length;
    return this.#answer(predictions, ask.targets, (row) => {
      const end = first + row + 1;
      return this.#guess(committed.slice(0, end), end, end + 1);
    });
  }

  override async denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions> {
    const predictions = await super.denoise(ids, cache, ask);
    const sequence = [...(cache as FakeCache).ids, ...ids];
    const isMask = (at: number) => sequence[at] === this.config.maskTokenId;
    return this.#answer(predictions, ask.targets, (row) => {
      const at = cache.length + ask.positions[row]!;
      let [start, end] = [at, at + 1];
      while (isMask(at) && isMask(start - 1)) start--;
      while (isMask(at) && isMask(end)) end++;
      return this.#guess(sequence, start, end, at);
    });
  }

  /** What belongs at `at` of a sequence whose tokens from `start` to before `end` are unknown. */
  #guess(sequence: readonly number[], start: number, end: number, at = start): Guess {
    const before = sequence.slice(Math.max(0, start - CONTEXT), start);
    const after = sequence.slice(end, end + CONTEXT);
    const fits = (place: number, wanted: readonly number[]) => wanted.every((id, i) => this.#text[place + i] === id);
    const places = [...this.#text.keys()].filter((place) => fits(place, before)).map((place) => place + before.length);
    const place = places.find((place) => fits(place + end - start, after));
    const [known] = place === undefined ? places : [place];
    const id = known === undefined ? undefined : this.#text[known + at - start];
    if (id === undefined) return { id: LOST, prob: 0.02 };
    return { id, prob: place === undefined ? 0.3 : 0.99 };
  }

  #answer(predictions: Predictions, targets: Int32Array | undefined, guess: (row: number) => Guess): Predictions {
    for (const row of predictions.ids.keys()) {
      const { id, prob } = guess(row);
      predictions.ids[row] = id;
      predictions.probs[row] = prob;
      if (!targets || !predictions.targetProbs) continue;
      predictions.targetProbs[row] = targets[row] === id ? prob : (1 - prob) / (this.config.vocabSize - 2);
    }
    return predictions;
  }
}
