/**
 * Decoding speed of the default model in this process, and the deployed Worker's start and memory in workerd.
 * Block length 1 and block decoding take turns; medians over all prompts and rounds.
 */
import type { Engine } from '../../src/engine/engine.ts';
import { kernelFlavour } from '../../src/kernels/kernels.ts';
import { type Completion, completeGreedily, openEngine } from '../support/engine.ts';
import { median, round } from './median.ts';
import { LONG_PROMPT, PROMPTS } from './prompts.ts';
import { startIsolate } from './workerd.ts';

const MODEL = process.env.MODEL ?? 'seedling-135m';
const MAX_TOKENS = 64;
const ROUNDS = 3;

/** One of the bench's requests. */
function generate(engine: Engine, prompt: string, blockLength: number, threshold: number): Promise<Completion> {
  return completeGreedily(engine, prompt, { maxTokens: MAX_TOKENS, blockLength, threshold });
}

/** Of several runs: speed over runs with enough tokens to time, forwards and positions over all. */
function summary(runs: readonly Completion[]) {
  const sum = (of: (run: Completion) => number) => runs.reduce((total, run) => total + of(run), 0);
  const tokens = sum((run) => run.tokens);
  const nfe = sum((run) => run.cost.nfe);
  return {
    speed: median(runs.filter((r) => r.tokens >= 16).map((r) => (r.tokens / r.cost.decodeMs) * 1000)),
    nfe: round(nfe / runs.length, 1),
    tokensPerForward: round(tokens / nfe),
    positionsPerToken: round(sum((run) => run.cost.positionForwards) / tokens),
  };
}

export async function run(): Promise<object> {
  const engine = await openEngine(MODEL);
  const { memory, maxTokens, config } = engine.model;
  console.log(
    `${MODEL}, ${kernelFlavour()} kernels, ${PROMPTS.length} prompts x ${MAX_TOKENS} tokens x ${ROUNDS} rounds`,
  );

  const widths = [1, 4, config.blockLength] as const;
  const runs = new Map<number, Completion[]>(widths.map((width) => [width, []]));
  const prefill: number[] = [];
  await generate(engine, LONG_PROMPT, 1, 1);
  for (let i = 0; i < ROUNDS; i++) {
    for (const prompt of PROMPTS) {
      for (const width of widths) runs.get(width)?.push(await generate(engine, prompt, width, 0.9));
    }
    prefill.push((await generate(engine, LONG_PROMPT, 1, 1)).cost.prefillMs);
  }
  const byWidth = widths.map((width) => ({ width, ...summary(runs.get(width) ?? []) }));
  for (const { width, speed, nfe, tokensPerForward, positionsPerToken } of byWidth) {
    console.log(
      `block ${width}: ${round(speed, 1)} tokens/s, ${nfe} forwards a request, ${tokensPerForward} tokens a forward, ` +
        `${positionsPerToken} position-forwards a token`,
    );
  }

  const isolate = await startIsolate();
  const body = { prompt: LONG_PROMPT, max_tokens: 16, temperature: 0 };
  const cold = await isolate.firstByteMs(body);
  const warm = [];
  for (let i = 0; i < 5; i++) warm.push(await isolate.firstByteMs(body));
  const { heap, buffers } = await isolate.memory();
  await isolate.stop();
  const mib = (bytes: number) => round(bytes / (1 << 20), 1);
  console.log(`workerd: first SSE byte ${round(cold, 0)} ms cold, ${round(median(warm), 0)} ms warm (62-token prompt)`);
  console.log(
    `WASM memory: ${mib(memory.total)} MiB for ${maxTokens} tokens; isolate: heap ${mib(heap)} + buffers ${mib(buffers)} MiB`,
  );

  const [ar, , block] = byWidth;
  return {
    tokens_per_s_ar: round(ar?.speed ?? Number.NaN, 1),
    tokens_per_s_block: round(block?.speed ?? Number.NaN, 1),
    ratio_block_ar: round((block?.speed ?? Number.NaN) / (ar?.speed ?? Number.NaN)),
    nfe: block?.nfe,
    tokens_per_forward: block?.tokensPerForward,
    position_forwards_per_token: block?.positionsPerToken,
    prefill_ms: round(median(prefill), 1),
    ttft_ms: round(median(warm), 0),
    ttft_cold_ms: round(cold, 0),
    peak_wasm_bytes: memory.total,
    isolate_bytes: heap + Math.max(buffers, memory.total),
  };
}
