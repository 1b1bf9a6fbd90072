/** Every limit and choice of a deployment, read once at start from the environment (Node) or `vars` (Workers). */
import { z } from 'zod';
import type { ApiKey } from '../api/middleware/api-keys.ts';
import { PUBLIC_AREAS, type PublicArea } from '../api/middleware/area.ts';
import type { Activations } from '../model/linear.ts';
import { apiKeys, count, hostNames, origins, someOf } from './setting-types.ts';

const MIB = 1024 * 1024;

/** Messages never contain the values of these settings. */
const SECRETS: readonly string[] = ['API_KEYS'];

const variablesSchema = z.object({
  /** A directory of `models/`, and the name that requests and responses carry. */
  MODEL: z
    .string('must be a name')
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be a plain name: letters, digits, dots, dashes, underscores')
    .default('seedling-135m'),
  /** All memory of the host: WASM and JavaScript. A Workers isolate has 128 MB. */
  MEMORY_BUDGET_MIB: count(1, 4096, 120),
  /** Room in the KV pool, in tokens, all requests together. */
  KV_TOKENS: count(1, 1_000_000, 2048),
  /** Precision of a quantized layer's input, and of K and V. `int16` is closer to float32, at twice the multiplications and KV. */
  ACTIVATIONS: z.enum(['int8', 'int16'], 'must be int8 or int16').default('int8'),
  /** New tokens of a request at most; a larger `max_tokens` is cut to it. */
  MAX_TOKENS: count(1, 1_000_000, 1024),
  /** Fields of a body that no endpoint knows: left out and named in a header, or refused. */
  UNKNOWN_FIELDS: z.enum(['ignore', 'reject'], 'must be ignore or reject').default('ignore'),
  /** The largest request body. */
  BODY_LIMIT_BYTES: count(1024, 100 * MIB, MIB),
  /** Most requests that run at once. */
  CONCURRENCY: count(1, 1024, 16),
  /** Most requests that wait for room. The next one is refused. */
  QUEUE_LIMIT: count(0, 10_000, 32),
  /** Longest wait for room, in seconds. */
  QUEUE_SECONDS: count(1, 600, 30),
  /** Keeps the KV of ended requests for later prompts that begin alike, until the room is needed. */
  PREFIX_CACHE: z.enum(['on', 'off'], 'must be on or off').default('on'),
  /** `keys`: callers need a key of `API_KEYS`. `open`: everybody is let in. */
  ACCESS: z.enum(['keys', 'open'], 'must be keys or open').default('keys'),
  API_KEYS: apiKeys,
  /** Areas that are served without a key. `/health` always is. */
  PUBLIC: someOf(PUBLIC_AREAS, ['docs', 'models', 'page']),
  /** Other sites whose pages may call the API. */
  CORS_ORIGINS: origins,
  /** Where access is open: names besides `localhost` under which the server may be asked. */
  ALLOWED_HOSTS: hostNames,
  /** Most requests in `RATE_SECONDS` for each key, or for each address if access is open. 0: no limit. */
  RATE_LIMIT: count(0, 1_000_000, 240),
  RATE_SECONDS: count(1, 3600, 60),
  /** Longest life of a request, with the sending of its body and its wait in the queue. */
  REQUEST_SECONDS: count(1, 3600, 120),
  /** A stream that is silent for this time sends a comment. */
  KEEP_ALIVE_SECONDS: count(1, 600, 15),
  /** A reader that takes no bytes for this time is dropped. */
  STALL_SECONDS: count(1, 600, 30),
  /** Runs the model: this project's WASM kernels (`wasm`), or ONNX Runtime on WebGPU (`webgpu`) or WASM (`onnx`). */
  RUNTIME: z.enum(['wasm', 'webgpu', 'onnx', 'auto'], 'must be wasm, webgpu, onnx or auto').default('wasm'),
});

/** Validated settings. */
export interface Settings {
  readonly model: string;
  readonly memoryBudgetBytes: number;
  readonly kvTokens: number;
  readonly activations: Activations;
  readonly maxTokens: number;
  readonly unknownFields: 'ignore' | 'reject';
  readonly bodyLimitBytes: number;
  readonly queue: {
    readonly concurrency: number;
    readonly waiting: number;
    readonly seconds: number;
  };
  readonly prefixCache: boolean;
  readonly access: {
    /** Everybody is let in. Then there are no keys. */
    readonly open: boolean;
    readonly keys: readonly ApiKey[];
    readonly public: readonly PublicArea[];
    readonly corsOrigins: readonly string[];
    /** Host names besides `localhost`. Empty with keys. */
    readonly allowedHosts: readonly string[];
  };
  readonly rate: {
    /** 0: no limit. */
    readonly requests: number;
    readonly seconds: number;
  };
  readonly patience: {
    readonly requestSeconds: number;
    readonly keepAliveSeconds: number;
    readonly stallSeconds: number;
  };
  /** `auto`: `webgpu` if there is an adapter, else `wasm`. */
  readonly runtime: 'wasm' | 'webgpu' | 'onnx' | 'auto';
}

/** Settings that a host fits to the machine and the model where nobody gave them. */
const SIZES = ['MEMORY_BUDGET_MIB', 'KV_TOKENS', 'MAX_TOKENS'] as const;
export type Size = (typeof SIZES)[number];

/** A setting is wrong. The message is one sentence for the person who starts the host. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** @throws SettingsError naming the first wrong setting. An empty string counts as not set. */
export function readSettings(variables: Readonly<Record<string, unknown>>): Settings {
  const known = Object.fromEntries(
    Object.keys(variablesSchema.shape)
      .map((name) => [name, variables[name]] as const)
      .filter(([, value]) => isGiven(value)),
  );
  const parsed = variablesSchema.safeParse(known);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const name = String(issue?.path[0]);
    const value = SECRETS.includes(name) ? '' : `, but is ${JSON.stringify(known[name])}`;
    throw new SettingsError(`Setting ${name} ${issue?.message}${value}.`);
  }
  const values = parsed.data;
  if (values.ACCESS === 'open' && values.API_KEYS.length > 0) {
    throw new SettingsError(
      'Setting ACCESS is open, but API_KEYS are set, which it would ignore: drop one of the two.',
    );
  }
  if (values.ACCESS === 'keys' && values.ALLOWED_HOSTS.length > 0) {
    throw new SettingsError(
      'Setting ALLOWED_HOSTS has names, but ACCESS is keys, which would ignore them: drop one of the two.',
    );
  }
  const given = givenSizes(known);
  if (given.has('MAX_TOKENS') && given.has('KV_TOKENS') && values.MAX_TOKENS > values.KV_TOKENS) {
    throw new SettingsError(
      `Setting MAX_TOKENS is ${values.MAX_TOKENS}, but KV_TOKENS is ${values.KV_TOKENS}, which leaves no room for so many.`,
    );
  }
  return {
    model: values.MODEL,
    memoryBudgetBytes: values.MEMORY_BUDGET_MIB * MIB,
    kvTokens: values.KV_TOKENS,
    activations: values.ACTIVATIONS,
    maxTokens: values.MAX_TOKENS,
    unknownFields: values.UNKNOWN_FIELDS,
    bodyLimitBytes: values.BODY_LIMIT_BYTES,
    queue: { concurrency: values.CONCURRENCY, waiting: values.QUEUE_LIMIT, seconds: values.QUEUE_SECONDS },
    prefixCache: values.PREFIX_CACHE === 'on',
    access: {
      open: values.ACCESS === 'open',
      keys: values.API_KEYS,
      public: values.PUBLIC,
      corsOrigins: values.CORS_ORIGINS,
      allowedHosts: values.ALLOWED_HOSTS,
    },
    rate: { requests: values.RATE_LIMIT, seconds: values.RATE_SECONDS },
    patience: {
      requestSeconds: values.REQUEST_SECONDS,
      keepAliveSeconds: values.KEEP_ALIVE_SECONDS,
      stallSeconds: values.STALL_SECONDS,
    },
    runtime: values.RUNTIME,
  };
}

/** An empty string counts as not set. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== '';
}

/** The sizes that somebody gave. */
export function givenSizes(variables: Readonly<Record<string, unknown>>): ReadonlySet<Size> {
  return new Set(SIZES.filter((name) => isGiven(variables[name])));
}

/** For Workers: ONNX Runtime does not fit into an isolate. @throws SettingsError */
export function refuseOnnxRuntime({ runtime }: Settings): void {
  if (runtime === 'wasm' || runtime === 'auto') return;
  throw new SettingsError(`Setting RUNTIME must be wasm or auto on Workers, but is ${JSON.stringify(runtime)}.`);
}
