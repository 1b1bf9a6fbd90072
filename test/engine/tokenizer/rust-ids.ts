/**
 * The engine's ids against those of the Rust library `tokenizers`, which `python -m recipe tokenizer-cases` has recorded.
 * Runs on every host: it reads nothing by itself.
 */
import { loadTokenizer, type Tokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';

/** What the library says with one tokenizer. */
export interface Expected {
  /** First code point of a block in hex -> hash of the ids of `blockText`. */
  readonly blocks: Readonly<Record<string, string>>;
  /** Name of a text -> hash of its ids. */
  readonly texts: Readonly<Record<string, string>>;
  readonly special: readonly {
    readonly text: string;
    readonly prompt: readonly number[];
    readonly frame: readonly number[];
    readonly content: readonly number[];
  }[];
}

/** The part of tokenizer.json that is read here. */
export interface TokenizerFile {
  readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
}

const BLOCK = 256;

/** As `block_text` of the recipe's tokenizer_cases.py. */
function blockText(first: number): string {
  let text = '';
  for (let code = first; code < first + BLOCK; code++) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const c = String.fromCodePoint(code);
    text += `x${c}y ${c} 1${c}${c}\n${c}\n`;
  }
  return text;
}

/** FNV-1a over the ids, in 32 bits each. */
function hash(ids: Int32Array): string {
  let value = 0x811c9dc5;
  for (const id of ids) {
    for (let shift = 0; shift < 32; shift += 8) value = Math.imul(value ^ ((id >>> shift) & 255), 0x01000193);
  }
  return (value >>> 0).toString(16).padStart(8, '0');
}

/** Everything that differs, by name; empty where all ids are equal. */
export function differences(
  json: TokenizerFile,
  expected: Expected,
  texts: Readonly<Record<string, string>>,
): string[] {
  const mask = json.added_tokens.find(({ content }) => content === '<|mask|>')?.id ?? -1;
  const tokenizer: Tokenizer = loadTokenizer(json, mask);
  const found: string[] = [];
  for (const [first, hashed] of Object.entries(expected.blocks)) {
    if (hash(tokenizer.encode(blockText(Number.parseInt(first, 16)), 'frame')) !== hashed) found.push(`block ${first}`);
  }
  for (const [name, hashed] of Object.entries(expected.texts)) {
    if (hash(tokenizer.encode(texts[name]!, 'frame')) !== hashed) found.push(`text ${name}`);
  }
  for (const { text, ...kinds } of expected.special) {
    for (const kind of ['prompt', 'frame', 'content'] as const) {
      const ids = [...tokenizer.encode(text, kind)];
      if (ids.join() !== kinds[kind].join()) found.push(`${kind} ${JSON.stringify(text)}: ${ids} for ${kinds[kind]}`);
    }
  }
  return found;
}
