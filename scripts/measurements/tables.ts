/** The tables of docs/measurements.md, from the last lines of the bench suites. No figure is typed. */

type Json = Readonly<Record<string, unknown>>;

/** `| first | row |`: the header, then the rows. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(header), `|${'---|'.repeat(header.length)}`, ...rows.map(line)].join('\n');
}

/** A figure by its path, such as `modes.default.ratio`. @throws Error where the result has no such path */
function at(result: Json, path: string): unknown {
  let value: unknown = result;
  for (const name of path.split('.')) {
    value = (value as Json | null)?.[name];
    if (value === undefined) throw new Error(`the suite ${result.suite} has no ${path}`);
  }
  return value;
}

/** A number as people write it, or a dash where it was not measured. */
function figure(value: unknown, digits?: number): string {
  if (value === null) return '–';
  if (typeof value !== 'number') throw new Error(`${JSON.stringify(value)} is no number`);
  return value.toLocaleString('en', {
    maximumFractionDigits: digits ?? 3,
    ...(digits !== undefined && { minimumFractionDigits: digits }),
  });
}

const mib = (value: unknown) => figure((value as number) / 2 ** 20, 1);
const percent = (value: unknown) => `${figure((value as number) * 100, 1)}%`;

function decode(result: Json): string {
  const get = (path: string, digits?: number) => figure(at(result, path), digits);
  const times = (path: string) => (at(result, path) === null ? 'not measured' : `${get(path)} times as fast`);
  return table(
    ['`npm run bench -- decode`, int8 activations', ''],
    [
      ['block length 1, Node', `${get('tokens_per_s_ar')} tokens/s`],
      ['default: verified drafts, width by measurement', `${get('ratio_block_ar', 2)} of that`],
      ['tokens a forward by default', get('tokens_per_forward', 2)],
      ['against wllama (llama.cpp in WASM), same Chromium, one thread', times('ratio_wllama')],
      ['against transformers.js (onnxruntime-web, int8), same Chromium', times('ratio_transformers_js')],
      ['against native llama.cpp (Q4_0), one thread: decoding', times('ratio_native')],
      ['against native llama.cpp (Q4_0), one thread: prefill', times('ratio_native_prefill')],
      ['prefill, 64 tokens a forward', `${get('prefill_tokens_per_s')} tokens/s`],
      [
        'first text in workerd, prompt of 32 tokens: warm / with the load of the model',
        `${get('ttft_ms')} / ${get('ttft_cold_ms')} ms`,
      ],
      [
        'WASM memory: weights, KV of 2,048 tokens, scratch / the whole isolate',
        `${mib(at(result, 'peak_wasm_bytes'))} / ${mib(at(result, 'isolate_bytes'))} MiB`,
      ],
    ],
  );
}

function kernels(result: Json): string {
  const widths = Object.keys(at(result, 'gmacs') as Json);
  const row = (name: string, key: string) => [name, ...widths.map((width) => figure(at(result, `${key}.${width}`), 1))];
  const native = at(result, 'gmacs_native_int4') !== null;
  return table(
    ["`npm run bench -- kernels`, GMAC/s, median over the model's shapes", ...widths.map((width) => `M = ${width}`)],
    [
      row('int4 weights', 'gmacs'),
      row('int8 weights', 'gmacs_int8'),
      row('onnxruntime-web `MatMulNBits` (int4)', 'gmacs_ort_int4'),
      row('onnxruntime-web int8', 'gmacs_ort_int8'),
      ...(native ? [row('native onnxruntime `MatMulNBits` (int4), one thread', 'gmacs_native_int4')] : []),
      row('int4 weights, fastest rounds', 'fastest.gmacs'),
    ],
  );
}

function serve(result: Json): string {
  const clients = Object.keys(at(result, 'aggregate') as Json);
  const row = (name: string, cell: (clients: string) => string) => [name, ...clients.map(cell)];
  const last = clients.at(-1)!;
  return table(
    ['`npm run bench -- serve`, workerd, 24 + 96 tokens', ...clients.map((count) => `${count} at once`)],
    [
      row('together, tokens/s', (count) => figure(at(result, `aggregate.${count}`), 1)),
      row('of one client at block length 1', (count) => figure(at(result, `ratio_single.${count}`), 2)),
      row('the same after the first token', (count) => figure(at(result, `ratio_single_decoding.${count}`), 2)),
      row('first token, p50 / p95, ms', (count) => {
        return `${figure(at(result, `ttft_p50_ms.${count}`))} / ${figure(at(result, `ttft_p95_ms.${count}`))}`;
      }),
      row('slowest over fastest client', (count) => (count === last ? figure(at(result, 'fairness_16'), 2) : '')),
    ],
  );
}

function roofline(result: Json): string {
  const widths = Object.keys(at(result, 'cost') as Json);
  const row = (name: string, key: string) => [name, ...widths.map((width) => figure(at(result, `${key}.${width}`), 2))];
  return table(
    ['`npm run bench -- roofline`', ...widths.map((width) => `M = ${width}`)],
    [row('cost, of one position', 'cost'), row('the same by the roofline', 'roofline')],
  );
}

function threads(result: Json): string {
  const counts = Object.keys(at(result, 'speedup') as Json).filter((count) => count !== '1');
  const forwards = Object.keys(at(result, 'speedup.1') as Json);
  const cell = (count: string, forward: string) =>
    `${figure(at(result, `speedup.${count}.${forward}`), 2)} (${figure(at(result, `fastest.speedup.${count}.${forward}`), 2)})`;
  const name = (count: string) => (count === 'shared' ? '1, shared memory' : count);
  const label = (forward: string) => (/^\d+$/.test(forward) ? `forward of ${forward}` : `${forward}, a token`);
  return table(
    [
      '`npm run bench -- threads`: speed over one thread, median (fastest)',
      ...counts.map((count) => `threads: ${name(count)}`),
    ],
    forwards.map((forward) => [label(forward), ...counts.map((count) => cell(count, forward))]),
  );
}

function runtimes(result: Json): string {
  const rows = Object.entries(at(result, 'runtimes') as Record<string, Json>).map(([name, runtime]) => {
    const list = (key: string) =>
      Object.entries(runtime[key] as Json)
        .map(([positions, value]) => `${positions}: ${figure(value)}`)
        .join(', ');
    return [`\`${name}\`: ${runtime.adapter}`, list('forward_ms'), list('tokens_per_s')];
  });
  return table(['`npm run bench -- runtimes`', 'ms of a forward, by positions', 'tokens/s, by block length'], rows);
}

function approximateCache(result: Json): string {
  const ways = at(result, 'ways') as readonly Json[];
  const prompts = at(result, 'prompts') as number;
  const row = (name: string, cell: (way: Json) => string) => [name, ...ways.map(cell)];
  return table(
    ['`npm run bench -- approximate-cache`', ...ways.map((way) => String(way.way))],
    [
      row('most probable id of an open position differs', (way) => percent(way.other_top_id)),
      row('probability of the exact id differs by, mean / most', (way) => {
        return `${figure(way.mean_probability_difference, 3)} / ${figure(way.max_probability_difference, 3)}`;
      }),
      row('ids of the text that agree, position by position', (way) => percent(way.same_ids)),
      row('texts that agree', (way) => `${Math.round((way.same_texts as number) * prompts)} of ${prompts}`),
      row('forwards / positions run, of exact decoding', (way) => {
        return `${figure(way.forwards_ratio, 2)} / ${figure(way.positions_ratio, 2)}`;
      }),
    ],
  );
}

/** Name of a marker (and of its suite) -> its table. */
export const TABLES: Readonly<Record<string, (result: Json) => string>> = {
  decode,
  kernels,
  serve,
  roofline,
  threads,
  runtimes,
  'approximate-cache': approximateCache,
};
