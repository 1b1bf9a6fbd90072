/** Fetches a checkpoint's files from the Hugging Face Hub into the cache that the Hub's other tools share. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  getHFHubCachePath,
  getRepoFolderName,
  HUB_URL,
  HubApiError,
  type ListFileEntry,
  listFiles,
  modelInfo,
} from '@huggingface/hub';
import { ConversionError } from '../checkpoint.ts';
import { safetensorsFiles } from '../hf/safetensors.ts';
import { type HubFile, keepHubFile, type Transfers } from './cache.ts';

export interface HubOptions extends Transfers {
  /** Another server that speaks the Hub's API. */
  readonly hubUrl?: string | undefined;
  readonly accessToken?: string | undefined;
  /** The Hub's cache directory; without it, where the Hub's tools look (HF_HUB_CACHE, HF_HOME). */
  readonly cacheDirectory?: string | undefined;
}

const REFERENCE = /^hf:([^/@\s]+\/[^/@\s]+)(?:@(\S+))?$/;
/** Where transformers 5 writes the chat template. */
const TEMPLATE = 'chat_template.jinja';
const INDEX = 'model.safetensors.index.json';

export function isHubReference(source: string): boolean {
  return source.startsWith('hf:');
}

/**
 * Fetches what a conversion reads: the JSON files, chat_template.jinja and safetensors at the top of the repository. What is in the cache
 * already stays; a transfer that broke, in this run or an earlier one, goes on where it was.
 * @param reference `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION` (a branch, a tag or a commit)
 * @returns the directory of that revision
 * @throws ConversionError naming the reference and the file
 */
export async function fetchFromHub(reference: string, options: HubOptions = {}): Promise<string> {
  const [, name, revision = 'main'] = REFERENCE.exec(reference) ?? [];
  if (name === undefined) throw new ConversionError(`${reference}: write hf:OWNER/NAME or hf:OWNER/NAME@REVISION`);
  return new Repository(reference, name, options).fetch(revision);
}

class Repository {
  readonly #reference: string;
  readonly #name: string;
  readonly #options: HubOptions;
  readonly #access: { hubUrl: string; accessToken?: string };

  constructor(reference: string, name: string, options: HubOptions) {
    this.#reference = reference;
    this.#name = name;
    this.#options = options;
    const { hubUrl = HUB_URL, accessToken } = options;
    this.#access = { hubUrl, ...(accessToken !== undefined && { accessToken }) };
  }

  async fetch(revision: string): Promise<string> {
    const commit = await this.#commit(revision);
    const present = await this.#ask(() => this.#list(commit));
    const folder = this.#folder();
    const snapshot = join(folder, 'snapshots', commit);
    const take = async (file: string) => {
      const entry = present.get(file);
      if (entry === undefined) throw new ConversionError(`${this.#reference} has no ${file}`);
      if (!existsSync(join(snapshot, file)))
        await keepHubFile(this.#file(entry, commit), folder, commit, this.#options);
    };
    for (const file of ['config.json', 'tokenizer.json']) await take(file);
    for (const file of present.keys()) if (file.endsWith('.json') || file === TEMPLATE) await take(file);
    for (const file of await this.#weights(present, snapshot)) await take(file);
    return snapshot;
  }

  #folder(): string {
    const repository = getRepoFolderName({ type: 'model', name: this.#name });
    return join(this.#options.cacheDirectory ?? getHFHubCachePath(), repository);
  }

  async #commit(revision: string): Promise<string> {
    const { sha } = await this.#ask(() =>
      modelInfo({ ...this.#access, name: this.#name, revision, additionalFields: ['sha'] }),
    );
    if (/^[0-9a-f]{40}$/.test(sha)) return sha;
    throw new ConversionError(`${this.#reference}: the hub names ${JSON.stringify(sha)} as its commit`);
  }

  /** Files at the top of the repository. Plain names only: they become names in the cache. */
  async #list(commit: string): Promise<ReadonlyMap<string, ListFileEntry>> {
    const files = new Map<string, ListFileEntry>();
    for await (const entry of listFiles({ ...this.#access, repo: this.#name, revision: commit })) {
      if (entry.type === 'file' && /^\w[\w.-]*$/.test(entry.path)) files.set(entry.path, entry);
    }
    return files;
  }

  async #weights(present: ReadonlyMap<string, ListFileEntry>, snapshot: string): Promise<readonly string[]> {
    if (present.has(INDEX)) return safetensorsFiles(await readFile(join(snapshot, INDEX), 'utf8'));
    if (present.has('model.safetensors')) return ['model.safetensors'];
    throw new ConversionError(`${this.#reference} has neither model.safetensors nor ${INDEX}`);
  }

  #file({ path, size, lfs, oid = '' }: ListFileEntry, commit: string): HubFile {
    const { hubUrl, accessToken } = this.#access;
    return {
      name: `${this.#reference}: ${path}`,
      path,
      url: `${hubUrl}/${this.#name}/resolve/${commit}/${path}`,
      bytes: lfs?.size ?? size,
      hash: lfs?.oid ?? oid,
      headers: accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` },
    };
  }

  async #ask<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      // A TypeError is fetch's own failure, or the client's word on the token.
      if (!(error instanceof HubApiError || error instanceof TypeError)) throw error;
      throw new ConversionError(`${this.#reference}: ${this.#reason(error)}`, { cause: error });
    }
  }

  #reason(error: unknown): string {
    if (error instanceof HubApiError) {
      const answer = `the hub answers ${error.statusCode}`;
      if (error.statusCode === 404) return `${answer}: there is no such model or revision`;
      if (error.statusCode === 401 || error.statusCode === 403) {
        const { accessToken } = this.#access;
        return accessToken === undefined
          ? `${answer}: there is no such model, or it needs a token: set HF_TOKEN`
          : `${answer}: the token in HF_TOKEN does not open it (for a gated model, accept its terms first)`;
      }
      return answer;
    }
    const { message, cause } = error as Error;
    const detail = cause instanceof Error ? ('code' in cause ? String(cause.code) : cause.message) : message;
    return `the hub cannot be asked: ${detail}`;
  }
}
