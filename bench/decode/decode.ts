/**
 * Three things. Decoding speed of the default model in this process, at block length 1 and at its default width. The same
 * model and its peers in headless Chromium. The start and the memory of the deployed Worker in workerd. All take turns on
 * every prompt.
 */
import { kernelFlavour } from '../../src/kernels/kernels.ts';
import { round } from '../median.ts';
import { promptsUpTo, salted } from '../prompts.ts';
import { choice, modelName, size } from '../settings.ts';
import { OwnDecode } from './own-decode.ts';
import { PEERS, PeerDecode } from './peer-decode.ts';
import { measureWorkerStart } from './worker-start.ts';

const MODEL = modelName();
const MAX_TOKENS = 64;

export async function run(): Promise<object> {
  const repeats = size('BENCH_ROUNDS', 3);
  const tokens = size('BENCH_TOKENS', MAX_TOKENS);
  const prompts = promptsUpTo(size('BENCH_PROMPTS', Number.POSITIVE_INFINITY));
  const own = await OwnDecode.open(MODEL);
  const { memory, maxTokens } = own.engine.model;
  console.log(`${MODEL}, ${kernelFlavour()} kernels, ${prompts.length} prompts x ${tokens} tokens x ${repeats} rounds`);
  const peers = await PeerDecode.open(choice('BENCH_PEERS', PEERS));
  try {
    for (let i = 0; i < repeats; i++) {
      for (const prompt of prompts) {
        const text = salted(prompt);
        await own.decode(text, tokens);
        await peers?.decode(text, tokens);
      }
      await own.prefill();
    }
  } finally {
    await peers?.stop();
  }
  const start = await measureWorkerStart(5);
  const { wasm, heap, buffers } = start.memory;

  const modes = own.summary();
  for (const [mode, { speed, ratio, nfe, tokensPerForward, positionsPerToken }] of modes) {
    console.log(
      `Node, ${mode}: ${speed} tokens/s, ${ratio} of ar, ${nfe} forwards a request, ${tokensPerForward} tokens a ` +
        `forward, ${positionsPerToken} position-forwards a token`,
    );
  }
  for (const name of ['seedling', 'wllama', 'transformers-js'] as const) {
    const figures = peers?.figures(name);
    if (figures) console.log(`Chromium, ${name}: ${figures.speed} tokens/s, first token after ${figures.firstMs} ms`);
  }
  const mib = (bytes: number) => round(bytes / (1 << 20), 1);
  console.log(`workerd: first text ${start.coldMs} ms cold, ${start.warmMs} ms warm (32-token prompt)`);
  console.log(
    `WASM memory: ${mib(memory.total)} MiB for ${maxTokens} tokens; ` +
      `the isolate besides: heap ${mib(heap)} + buffers ${mib(buffers)} MiB`,
  );

  const block = modes.get('default');
  return {
    tokens_per_s_ar: modes.get('ar')?.speed,
    tokens_per_s_block: block?.speed,
    ratio_block_ar: block?.ratio,
    modes: Object.fromEntries(modes),
    model: MODEL,
    rounds: repeats,
    prompts: prompts.length,
    tokens,
    // Null where that contender did not run.
    tokens_per_s_chromium: peers?.figures('seedling')?.speed ?? null,
    tokens_per_s_wllama: peers?.figures('wllama')?.speed ?? null,
    tokens_per_s_transformers_js: peers?.figures('transformers-js')?.speed ?? null,
    ratio_wllama: peers?.ratio('wllama') ?? null,
    ratio_transformers_js: peers?.ratio('transformers-js') ?? null,
    ...(peers?.absence && { transformers_js_absent: peers.absence }),
    nfe: block?.nfe,
    tokens_per_forward: block?.tokensPerForward,
    position_forwards_per_token: block?.positionsPerToken,
    prefill_ms: own.prefillMs,
    prefill_tokens_per_s: own.prefillTokensPerSecond,
    ttft_ms: start.warmMs,
    ttft_cold_ms: start.coldMs,
    peak_wasm_bytes: memory.total,
    isolate_bytes: wasm + heap + buffers,
  };
}
