/** `npm run convert -- SOURCE NAME [flags]`. */
import { basename, dirname } from 'node:path';
import { resourceUsage } from 'node:process';
import { parseArgs } from 'node:util';
import { progressLine } from '../hosts/node/host/progress.ts';
import type { TensorType } from '../model/manifest.ts';
import { ConversionError } from './checkpoint.ts';
import { type Conversion, type ConvertOptions, convert } from './convert.ts';
import { decisions } from './decisions.ts';
import { fetchFromHub, isHubReference } from './hub/fetch.ts';
import { oneOf, SEMANTICS_OPTIONS, SEMANTICS_USAGE, semanticsFromFlags } from './semantics/flags.ts';

const USAGE = `npm run convert -- SOURCE NAME [flags]

SOURCE                    a Hugging Face directory, a .gguf file, or hf:OWNER/NAME[@REVISION] on the Hub (HF_TOKEN,
                          HF_ENDPOINT and HF_HOME as for the Hub's own tools)
NAME                      the model is written to models/NAME
--out DIR                 write to DIR/NAME instead
--adapter DIR             merge a PEFT LoRA adapter: adapter_config.json and adapter_model.safetensors
--dtype TYPE              matrices of the layers: int4 (default), int8 or f32
--embedding TYPE          embedding and LM head: as --dtype unless given
--drafts FILE             an adapter of python -m recipe drafts, which acts on mask rows alone; SOURCE may then be a
                          converted model, whose weights are copied
${SEMANTICS_USAGE}`;

const TYPES: readonly TensorType[] = ['int4', 'int8', 'f32'];

/** @throws ConversionError naming the flag that is wrong. */
function parseCommandLine(args: string[]): { source: string; options: ConvertOptions } {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    allowNegative: true,
    options: {
      out: { type: 'string', default: 'models' },
      dtype: { type: 'string', default: 'int4' },
      embedding: { type: 'string' },
      drafts: { type: 'string' },
      family: { type: 'string' },
      adapter: { type: 'string' },
      ...SEMANTICS_OPTIONS,
    },
  });
  const [source, name] = positionals;
  if (source === undefined || name === undefined || positionals.length > 2) throw new ConversionError(USAGE);
  const dtype = oneOf('--dtype', values.dtype, TYPES);
  return {
    source,
    options: {
      name,
      out: values.out,
      dtype,
      embedding: values.embedding === undefined ? dtype : oneOf('--embedding', values.embedding, TYPES),
      family: values.family,
      adapter: values.adapter,
      drafts: values.drafts,
      semantics: semanticsFromFlags(values),
    },
  };
}

/** What is on the Hub is fetched first. An empty variable counts as not set. */
async function localSource(source: string): Promise<string> {
  if (!isHubReference(source)) return source;
  const { HF_ENDPOINT, HF_TOKEN } = process.env;
  return fetchFromHub(source, {
    hubUrl: HF_ENDPOINT || undefined,
    accessToken: HF_TOKEN || undefined,
    progress: (name) => progressLine(name),
  });
}

function describe(conversion: Conversion, seconds: number): string {
  const { directory, shards, errors } = conversion;
  const megabytes = shards.reduce((sum, shard) => sum + shard.bytes, 0) / 1e6;
  const lines = errors.map(({ name, type, weights, relativeRms }) => {
    const error = `relative RMS error ${(relativeRms * 100).toFixed(3)}%`;
    return `${name.padEnd(26)} ${type} ${String(weights).padStart(11)} weights  ${error}`;
  });
  return [
    ...lines,
    '',
    decisions(conversion),
    '',
    `${directory}: ${shards.length} shards, ${megabytes.toFixed(1)} MB, ${seconds.toFixed(1)} s, ` +
      `peak memory ${Math.round(resourceUsage().maxRSS / 1024)} MiB`,
    `npm run check-model -- ${checkArguments(directory)} loads it as a server does and says how it decodes`,
  ].join('\n');
}

/** A directory of models goes with the name where it is not the usual one. */
function checkArguments(directory: string): string {
  const models = dirname(directory);
  return models === 'models' ? basename(directory) : `${basename(directory)} --models ${models}`;
}

try {
  const { source, options } = parseCommandLine(process.argv.slice(2));
  const started = performance.now();
  const conversion = await convert(await localSource(source), options);
  console.log(describe(conversion, (performance.now() - started) / 1000));
} catch (error) {
  const { code } = error as { code?: unknown };
  const expected =
    error instanceof ConversionError || /^ERR_PARSE_ARGS|^(ENOSPC|EDQUOT|EACCES|EROFS|EPERM)$/.test(String(code));
  console.error(expected ? (error as Error).message : error);
  process.exitCode = 1;
}
