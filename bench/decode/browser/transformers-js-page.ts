/** transformers.js on WASM, one thread, with the data type that it chooses there: q8. */
import { Stopwatch } from '../../timed-completion.ts';

/** The part of the library that is used. It is installed apart, so its own types are not here. */
interface TransformersJs {
  readonly env: {
    version: string;
    allowRemoteModels: boolean;
    allowLocalModels: boolean;
    localModelPath: string;
    useBrowserCache: boolean;
    backends: { onnx: { wasm: { numThreads: number; wasmPaths: string } } };
  };
  readonly AutoTokenizer: { from_pretrained(model: string): Promise<Tokenizer> };
  readonly AutoModelForCausalLM: {
    from_pretrained(model: string, options: { device: 'wasm'; dtype: 'q8' }): Promise<Model>;
  };
  readonly TextStreamer: new (
    tokenizer: Tokenizer,
    options: {
      skip_prompt: boolean;
      token_callback_function(tokens: readonly bigint[]): void;
      callback_function(): void;
    },
  ) => object;
}
type Inputs = Record<'input_ids' | 'attention_mask', { dims: number[] }>;
interface Tokenizer {
  (text: string): Inputs;
  batch_decode(ids: unknown, options: { skip_special_tokens: boolean }): string[];
}
interface Model {
  generate(options: Inputs & Record<string, unknown>): Promise<{ dims: number[] }>;
}

const MODEL = 'smollm2-135m';
const library: TransformersJs = await import('/transformers.js' as string);
const { env } = library;
env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = '/onnx/';
env.useBrowserCache = false;
env.backends.onnx.wasm.numThreads = 1;
env.backends.onnx.wasm.wasmPaths = `${location.origin}/onnxruntime/`;
let tokenizer: Tokenizer;
let model: Model;

globalThis.contender = {
  async load() {
    tokenizer = await library.AutoTokenizer.from_pretrained(MODEL);
    model = await library.AutoModelForCausalLM.from_pretrained(MODEL, { device: 'wasm', dtype: 'q8' });
    return `SmolLM2-135M q8, transformers.js ${env.version}, one thread`;
  },
  async complete(prompt, tokens) {
    const watch = new Stopwatch();
    const inputs = tokenizer(prompt);
    const streamer = new library.TextStreamer(tokenizer, {
      skip_prompt: true,
      token_callback_function: () => watch.token(),
      callback_function: () => {},
    });
    const all = await model.generate({
      ...inputs,
      max_new_tokens: tokens,
      min_new_tokens: tokens,
      do_sample: false,
      streamer,
    });
    const count = all.dims[1]! - inputs.input_ids.dims[1]!;
    return watch.stop(count, tokenizer.batch_decode(all, { skip_special_tokens: true })[0]?.slice(prompt.length) ?? '');
  },
};
