/** The whole service as a host serves it, on the real engine and kernels, over a random checkpoint of two layers. */

import { createHost } from '../../src/api/host.ts';
import { Drain } from '../../src/api/middleware/drain.ts';
import type { RequestRecord } from '../../src/api/middleware/record.ts';
import { createService } from '../../src/api/service.ts';
import { Engine } from '../../src/engine/engine.ts';
import { loadTokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { readSettings } from '../../src/hosts/settings.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { ModelLoadError } from '../../src/model/errors.ts';
import { WasmModel } from '../../src/model/wasm-model.ts';
import { readModelConfig } from '../../src/model/weight-source.ts';
import { kernelModules } from '../support/engines/kernels.ts';
import { convertFixture } from '../support/engines/models.ts';

/** The vocabulary of the fixture is 256 bytes, EOS, mask and six merges: the last four also frame holes here. */
const CODER: Pick<ModelConfig, 'contextLength' | 'infill' | 'chatTemplate'> = {
  contextLength: 4096,
  infill: { prefix: 260, suffix: 261, middle: 262, end: 263, order: 'suffix_first' },
  chatTemplate: {
    template: '{% for message in messages %}<{{ message.role }}>{{ message.content }}{{ eos_token }}{% endfor %}',
    bosToken: '',
    eosToken: '<|endoftext|>',
  },
};

export interface TinyService {
  readonly app: ReturnType<typeof createService>;
  readonly engine: Engine;
  readonly model: WasmModel;
  readonly drain: Drain;
  readonly records: RequestRecord[];
  /** What is still held once everything is over: all zero, or something leaks. */
  held(): Held;
}

export interface Held {
  readonly kv_tokens: number;
  readonly running: number;
  readonly waiting: number;
  readonly calls: number;
}

/** @param variables settings, as a host's environment has them */
export async function tinyService(variables: Record<string, string> = {}): Promise<TinyService> {
  const settings = readSettings({ ACCESS: 'open', RATE_LIMIT: '0', KV_TOKENS: '512', MAX_TOKENS: '64', ...variables });
  const source = await convertFixture('tiny-llama', 'int8');
  const config = { ...(await readModelConfig(source)), ...CODER };
  const { activations, kvTokens, prefixCache } = settings;
  const model = await WasmModel.load(source, config, {
    kernels: kernelModules,
    activations,
    memoryBudget: 1 << 28,
    kvTokens,
    prefixCache,
  });
  const tokenizer = loadTokenizer(await source.json('tokenizer.json'), config.maskTokenId);
  const engine = new Engine(model, tokenizer, settings.queue);
  const host = createHost({ modelName: 'tiny', settings, load: async () => engine });
  const drain = new Drain();
  const records: RequestRecord[] = [];
  const app = createService(host, settings, {
    address: () => null,
    // Node hands its response over here; without a socket there is none.
    cut: (c) => (c.env as { outgoing?: { destroy(): void } } | undefined)?.outgoing?.destroy(),
    limiter: null,
    record: (record) => void records.push(record),
    metrics: null,
    files: {
      async weights(file) {
        throw new ModelLoadError(`${file} is missing`);
      },
      page: null,
    },
    drain,
    about: { version: '0.0.0', description: 'A test.' },
  });
  const held = () => ({
    kv_tokens: model.maxTokens - model.freeTokens,
    running: engine.queue.running,
    waiting: engine.queue.waiting,
    calls: drain.calls,
  });
  return { app, engine, model, drain, records, held };
}

/** Resolves once nothing is held any more, or after the time; then says what is. */
export async function settled({ held }: TinyService, ms = 10_000): Promise<Held> {
  const end = performance.now() + ms;
  while (Object.values(held()).some((count) => count !== 0) && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return held();
}
