/**
 * What `tokenizer.ggml.pre` stands for. GGUF names how a text is cut into words but does not hold it; llama.cpp has the
 * rules (`llm_tokenizer_bpe` in llama-vocab.cpp), and the tokenizer.json of each family the same ones.
 */

export interface WordSplit {
  readonly normalizer: object | null;
  readonly pretokenizers: readonly object[];
  /** A word that is in the vocabulary is one token, whatever its merges. */
  readonly ignoreMerges?: boolean;
  /** A prompt begins with the BOS where the file does not say. */
  readonly addBos?: boolean;
}

const byteLevel = (use_regex: boolean) => {
  return { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex };
};
const isolated = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });
const digits = { type: 'Digits', individual_digits: true };

/** Of the family of cl100k: what differs is how many digits are one word. */
const words = (numbers: string) =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const DEEPSEEK_V3 =
  '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const GPT2_WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const gpt2: WordSplit = { normalizer: null, pretokenizers: [byteLevel(true)] };
const singleDigits: WordSplit = { normalizer: null, pretokenizers: [digits, byteLevel(true)] };
const qwen2: WordSplit = {
  normalizer: { type: 'NFC' },
  pretokenizers: [isolated(words('\\p{N}')), byteLevel(false)],
};
const threeDigits: WordSplit = { normalizer: null, pretokenizers: [isolated(words('\\p{N}{1,3}')), byteLevel(false)] };
const llama3: WordSplit = { ...threeDigits, ignoreMerges: true, addBos: true };
const deepseekCoder: WordSplit = {
  normalizer: null,
  pretokenizers: [
    isolated('[\\r\\n]'),
    isolated('\\s?\\p{L}+'),
    isolated('\\s?\\p{P}+'),
    isolated('[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+'),
    digits,
    byteLevel(false),
  ],
};
const deepseekV3: WordSplit = {
  normalizer: null,
  pretokenizers: [
    isolated('\\p{N}{1,3}'),
    isolated('[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+'),
    isolated(DEEPSEEK_V3),
    byteLevel(false),
  ],
};
/** What llama.cpp does for a file that names no rule. */
const unnamed: WordSplit = {
  normalizer: null,
  pretokenizers: [
    isolated('[\\p{P}\\$\\+<=>\\^~\\|]+'),
    isolated(GPT2_WORDS),
    isolated('\\p{N}+'),
    isolated('[0-9][0-9][0-9]'),
    byteLevel(false),
  ],
};

export const WORD_SPLITS: ReadonlyMap<string, WordSplit> = new Map([
  ['default', unnamed],
  ['gpt-2', gpt2],
  ['smollm', singleDigits],
  ['starcoder', singleDigits],
  ['refact', singleDigits],
  ['codeshell', singleDigits],
  ['qwen2', qwen2],
  ['llama-bpe', llama3],
  ['llama-v3', llama3],
  ['llama3', llama3],
  ['dbrx', threeDigits],
  ['smaug-bpe', threeDigits],
  ['deepseek-coder', deepseekCoder],
  ['deepseek-v3', deepseekV3],
]);
