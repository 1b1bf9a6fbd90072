/**
 * The effect of `decoding.approximate_cache` on a text. Forwards over stale KV are compared with exact ones on the same
 * canvas, and whole texts with it with whole texts without it: ids, forwards, positions and milliseconds.
 *
 * MODEL is any converted model, in `models` or in the folder MODELS_DIR. A model whose context is not `full` is read as
 * if it were. It was not trained for that, so its figures are of trained weights, but not of a model to serve like this.
 */
import { join } from 'node:path';
import { Mean } from '../../eval/score.ts';
import { completionRequestSchema } from '../../src/api/completions/schema.ts';
import { resolveRequest } from '../../src/api/generate/resolve.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { Cost } from '../../src/engine/request.ts';
import { assembleEngine } from '../../src/hosts/assemble.ts';
import { readSettings } from '../../src/hosts/settings.ts';
import { readModelConfig } from '../../src/model/weight-source.ts';
import { directorySource } from '../../src/sources/directory.ts';
import { withConfig } from '../../test/support/engines/families.ts';
import { kernelModules } from '../../test/support/engines/kernels.ts';
import { median, round } from '../median.ts';
import { LONG_PROMPT, PROMPTS } from '../prompts.ts';
import { modelName, setting, size } from '../settings.ts';
import { Shadow, ShadowedModel } from './shadowed-model.ts';

const MODEL = modelName();
const MODELS = setting('MODELS_DIR') ?? 'models';
const PROMPT_TOKENS = 96;
/** Blocks of new tokens. With more of them, a model that was not trained for full context repeats one token. */
const BLOCKS = 2;
/** Fast-dLLM's choice for a model that has no blocks of its own. */
const LONGEST_BLOCK = 32;
const WAYS = {
  prefix: { kind: 'prefix', refresh: null },
  dual: { kind: 'dual', refresh: null },
  'dual, every fourth forward exact': { kind: 'dual', refresh: 4 },
} as const;

interface Decoded {
  readonly ids: readonly number[];
  readonly text: string;
  readonly cost: Cost;
}

/** One way to approximate, against none. */
class Comparison {
  readonly name: string;
  readonly fields: object;
  readonly shadow: Shadow;
  readonly #sameId = new Mean();
  readonly #sameText = new Mean();
  readonly #forwards: number[] = [];
  readonly #positions: number[] = [];
  readonly #ms: number[] = [];

  constructor(name: string, settings: (typeof WAYS)[keyof typeof WAYS]) {
    const { kind, refresh } = settings;
    this.name = name;
    this.fields = { kind, ...(refresh !== null && { refresh }) };
    this.shadow = new Shadow(settings);
  }

  add(exact: Decoded, stale: Decoded): void {
    for (const [i, id] of exact.ids.entries()) this.#sameId.add(stale.ids[i] === id);
    this.#sameText.add(stale.text === exact.text);
    this.#forwards.push(stale.cost.nfe / exact.cost.nfe);
    this.#positions.push(stale.cost.positionForwards / exact.cost.positionForwards);
    this.#ms.push(stale.cost.decodeMs / exact.cost.decodeMs);
  }

  summary() {
    const { otherId, probDifference, largestDifference } = this.shadow;
    return {
      way: this.name,
      positions_compared: otherId.count,
      other_top_id: otherId.rounded,
      mean_probability_difference: probDifference.rounded,
      max_probability_difference: round(largestDifference, 4),
      same_ids: this.#sameId.rounded,
      same_texts: this.#sameText.rounded,
      forwards_ratio: round(median(this.#forwards)),
      positions_ratio: round(median(this.#positions)),
      ms_ratio: round(median(this.#ms)),
    };
  }
}

export async function run(): Promise<object> {
  const texts = contexts().slice(0, size('BENCH_PROMPTS', Number.POSITIVE_INFINITY));
  const settings = readSettings(process.env);
  const source = directorySource(join(MODELS, MODEL));
  const { contextAttention, blockLength } = await readModelConfig(source);
  if (contextAttention !== 'full') {
    console.log(
      `${MODEL} was made for ${contextAttention} context and is read as full: not a model to serve like this`,
    );
  }
  const asFull = withConfig(source, { contextAttention: 'full', firstToken: 'denoise' });
  const engine = await assembleEngine({ ...settings, source: asFull, kernels: kernelModules });
  const block = Math.min(blockLength, LONGEST_BLOCK);
  const length = size('BENCH_TOKENS', BLOCKS * block);
  const comparisons = Object.entries(WAYS).map(([name, way]) => new Comparison(name, way));
  const shadows = comparisons.map(({ shadow }) => shadow);
  const shadowed = new Engine(new ShadowedModel(engine.model, shadows, block), engine.tokenizer, settings.queue);

  let [tokens, forwards] = [0, 0];
  for (const code of texts) {
    const prompt = engine.tokenizer.encode(code, 'content').slice(-PROMPT_TOKENS);
    const exact = await decode(engine, prompt, length, { block_length: block });
    tokens += exact.ids.length;
    forwards += exact.cost.nfe;
    for (const comparison of comparisons) {
      const fields = { block_length: block, approximate_cache: comparison.fields };
      comparison.add(exact, await decode(engine, prompt, length, fields));
    }
    await decode(shadowed, prompt, length, { block_length: block });
    console.log(`after ${JSON.stringify(code.slice(-40))}: ${JSON.stringify(exact.text)}`);
  }
  const ways = comparisons.map((comparison) => comparison.summary());
  for (const { way, ...figures } of ways) console.log(`${way}: ${JSON.stringify(figures)}`);
  return {
    model: engine.model.config.name,
    trained_for: contextAttention,
    prompts: texts.length,
    prompt_tokens: PROMPT_TOKENS,
    block_length: block,
    tokens,
    forwards,
    ways,
  };
}

/** Each prompt of the benches after all the others, so that there is a context to approximate. */
function contexts(): string[] {
  return PROMPTS.map((prompt) => [LONG_PROMPT, ...PROMPTS.filter((other) => other !== prompt), prompt].join('\n'));
}

async function decode(engine: Engine, prompt: ArrayLike<number>, tokens: number, decoding: object): Promise<Decoded> {
  const body = completionRequestSchema.parse({
    prompt: Array.from(prompt),
    max_tokens: tokens,
    temperature: 0,
    seed: 0,
    decoding,
  });
  const said = new Map<number, number>();
  let text = '';
  for await (const event of engine.generate(resolveRequest(body, engine.model, readSettings({})))) {
    if (event.type === 'step') for (const [i, offset] of event.positions.entries()) said.set(offset, event.ids[i]!);
    if (event.type === 'block') text += event.text;
    if (event.type !== 'done') continue;
    const ids = Array.from({ length: event.usage.completionTokens }, (_, offset) => said.get(offset)!);
    return { ids, text, cost: event.cost };
  }
  throw new Error('the engine ended without its last event');
}
