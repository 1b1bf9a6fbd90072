/**
 * Three things. Decoding speed of the default model in this process, at block length 1 and at its default width, beside
 * native llama.cpp. The same model and its peers in headless Chromium. The start and the memory of the deployed Worker in
 * workerd. All take turns on every prompt.
 */
import { kernelFlavour } from '../../src/kernels/kernels.ts';
import { median, round } from '../median.ts';
import { LONG_PROMPT, promptsUpTo, salted } from '../prompts.ts';
import { choice, modelName, size } from '../settings.ts';
import { NativeDecode } from './native-decode.ts';
import { OwnDecode } from './own-decode.ts';
import { BROWSER_PEERS, PeerDecode } from './peer-decode.ts';
import { measureWorkerStart } from './worker-start.ts';

const MODEL = modelName();
const MAX_TOKENS = 64;
const NATIVE = 'llama-cpp';
const PEERS = [NATIVE, ...BROWSER_PEERS] as const;

export async function run(): Promise<object> {
  const repeats = size('BENCH_ROUNDS', 3);
  const tokens = size('BENCH_TOKENS', MAX_TOKENS);
  const prompts = promptsUpTo(size('BENCH_PROMPTS', Number.POSITIVE_INFINITY));
  const own = await OwnDecode.open(MODEL);
  const { memory, maxTokens } = own.engine.model;
  console.log(`${MODEL}, ${kernelFlavour()} kernels, ${prompts.length} prompts x ${tokens} tokens x ${repeats} rounds`);
  const wanted = choice('BENCH_PEERS', PEERS);
  const { native, absence } = await openNative(wanted.includes(NATIVE));
  const peers = await PeerDecode.open(BROWSER_PEERS.filter((name) => wanted.includes(name)));
  const ratios: number[] = [];
  const defaultRatios: number[] = [];
  const prefillRatios: number[] = [];
  try {
    for (let i = 0; i < repeats; i++) {
      for (const prompt of prompts) {
        const text = salted(prompt);
        const speeds = await own.decode(text, tokens);
        if (native) {
          const speed = await native.decode(text, tokens);
          ratios.push(speeds.ar / speed);
          defaultRatios.push(speeds.default / speed);
        }
        await peers?.decode(text, tokens);
      }
      const long = salted(LONG_PROMPT.repeat(4));
      const rate = await own.prefill(long);
      if (native) prefillRatios.push(rate / (await native.prefill(long)));
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
  const nativeFigures = native?.figures();
  if (nativeFigures) {
    const { description, speed, prefillTokensPerSecond } = nativeFigures;
    console.log(`native, ${description}: ${speed} tokens/s, prefill ${prefillTokensPerSecond} tokens/s`);
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
    dot: own.engine.model.dot,
    rounds: repeats,
    prompts: prompts.length,
    tokens,
    // Null where that contender did not run. Block length 1 against each.
    tokens_per_s_native: nativeFigures?.speed ?? null,
    prefill_tokens_per_s_native: nativeFigures?.prefillTokensPerSecond ?? null,
    ratio_native: native ? round(median(ratios.filter(Number.isFinite))) : null,
    ratio_native_default: native ? round(median(defaultRatios.filter(Number.isFinite))) : null,
    ratio_native_prefill: native ? round(median(prefillRatios)) : null,
    ...(absence && { native_absent: absence }),
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

/** Native llama.cpp has a binary for some machines only. Without it the bench goes on and says why. */
async function openNative(wanted: boolean): Promise<{ native: NativeDecode | null; absence: string | null }> {
  if (!wanted) return { native: null, absence: 'not asked for' };
  try {
    return { native: await NativeDecode.open(), absence: null };
  } catch (error) {
    const absence = error instanceof Error ? error.message : String(error);
    console.log(`without native llama.cpp: ${absence}`);
    return { native: null, absence };
  }
}
