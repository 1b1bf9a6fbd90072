/** wllama: llama.cpp in WebAssembly. One thread, no GPU. */
import { LoggerWithoutDebug, Wllama } from '@wllama/wllama';
import { Stopwatch } from '../../timed-completion.ts';

const wllama = new Wllama({ default: '/wllama/wllama.wasm' }, { logger: LoggerWithoutDebug, suppressNativeLog: true });

globalThis.contender = {
  async load() {
    const model = await (await fetch('/base.gguf')).blob();
    await wllama.loadModel([model], { n_ctx: 1024, n_threads: 1, n_gpu_layers: 0 });
    if (wllama.isMultithread() || wllama.getNumThreads() !== 1) throw new Error('wllama runs more than one thread');
    return `SmolLM2-135M Q4_1, llama.cpp ${Wllama.getLibllamaVersion()}, one thread`;
  },
  async complete(prompt, tokens) {
    const watch = new Stopwatch();
    let text = '';
    let count = 0;
    await wllama.createCompletion({
      prompt,
      max_tokens: tokens,
      temperature: 0,
      ignore_eos: true,
      stream: true,
      onData: ({ choices, timings }) => {
        if (choices[0]?.text) watch.token();
        text += choices[0]?.text ?? '';
        count = timings?.predicted_n ?? count;
      },
    });
    return watch.stop(count, text);
  },
};
