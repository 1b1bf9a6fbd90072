/** Native llama.cpp in this process: one thread, its fastest format (Q4_0), no GPU. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { median, round } from '../median.ts';
import { npmPeer } from '../npm-peer.ts';
import { Stopwatch, type TimedCompletion, tokensPerSecond } from '../timed-completion.ts';
import { q4Gguf } from './peers/llama-cpp/q4-0-gguf.ts';

/** What is used here of node-llama-cpp 3.21, which is not installed with the repository. */
interface LlamaSequence {
  clearHistory(): Promise<void>;
  evaluate(ids: readonly number[], options: { temperature: number; yieldEogToken: boolean }): AsyncIterable<number>;
  evaluateWithoutGeneratingNewTokens(ids: readonly number[]): Promise<void>;
}
interface LlamaModel {
  tokenize(text: string): number[];
  detokenize(ids: readonly number[]): string;
  createContext(options: object): Promise<{ getSequence(): LlamaSequence }>;
}
interface Llama {
  readonly llamaCppRelease: { readonly release: string };
  loadModel(options: object): Promise<LlamaModel>;
}
interface NodeLlamaCpp {
  getLlama(options: object): Promise<Llama>;
}

export interface NativeFigures {
  readonly description: string;
  /** Tokens per second after the first, median. */
  readonly speed: number;
  readonly prefillTokensPerSecond: number;
}

export class NativeDecode {
  readonly #model: LlamaModel;
  readonly #sequence: LlamaSequence;
  readonly #description: string;
  readonly #runs: TimedCompletion[] = [];
  readonly #prefillRates: number[] = [];

  /** @throws Error where npm has no binary for this machine, or where the GGUF file cannot be made */
  static async open(): Promise<NativeDecode> {
    const modules = await npmPeer('llama-cpp', new URL('peers/llama-cpp/', import.meta.url));
    const entry = pathToFileURL(join(modules, 'node-llama-cpp', 'dist', 'index.js')).href;
    const { getLlama } = (await import(entry)) as NodeLlamaCpp;
    const llama = await getLlama({ gpu: false, build: 'never', maxThreads: 1, logLevel: 'error' });
    const model = await llama.loadModel({ modelPath: await q4Gguf(), gpuLayers: 0 });
    const context = await model.createContext({ contextSize: 1024, batchSize: 512, threads: 1, sequences: 1 });
    const { release } = llama.llamaCppRelease;
    const native = new NativeDecode(
      model,
      context.getSequence(),
      `SmolLM2-135M Q4_0, llama.cpp ${release}, one thread`,
    );
    await native.#complete('const a = ', 4);
    return native;
  }

  private constructor(model: LlamaModel, sequence: LlamaSequence, description: string) {
    this.#model = model;
    this.#sequence = sequence;
    this.#description = description;
  }

  async #complete(prompt: string, tokens: number): Promise<TimedCompletion> {
    await this.#sequence.clearHistory();
    const ids: number[] = [];
    const watch = new Stopwatch();
    // The end token does not stop it, as in the other peers.
    const options = { temperature: 0, yieldEogToken: true };
    for await (const id of this.#sequence.evaluate(this.#model.tokenize(prompt), options)) {
      watch.token();
      if (ids.push(id) === tokens) break;
    }
    return watch.stop(ids.length, this.#model.detokenize(ids));
  }

  /** One prompt. @returns tokens per second after the first */
  async decode(prompt: string, tokens: number): Promise<number> {
    const run = await this.#complete(prompt, tokens);
    this.#runs.push(run);
    return tokensPerSecond(run);
  }

  /** @returns tokens of the prompt per second */
  async prefill(prompt: string): Promise<number> {
    const ids = this.#model.tokenize(prompt);
    await this.#sequence.clearHistory();
    const start = performance.now();
    await this.#sequence.evaluateWithoutGeneratingNewTokens(ids);
    const rate = (ids.length / (performance.now() - start)) * 1000;
    this.#prefillRates.push(rate);
    return rate;
  }

  figures(): NativeFigures {
    return {
      description: this.#description,
      speed: round(median(this.#runs.map(tokensPerSecond)), 1),
      prefillTokensPerSecond: round(median(this.#prefillRates), 0),
    };
  }
}
