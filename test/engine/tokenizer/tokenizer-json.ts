/** A small byte-level BPE in the shape of a Hugging Face tokenizer.json, made by real training on a sample. */

const SAMPLE =
  'function isPrime(n) {\n  for (let i = 2; i * i <= n; i++) {\n    if (n % i === 0) return false;\n  }\n' +
  '  return n > 1;\n}\nconst naïve = "漢字 漢字 naïve";\nreturn returning returned; iiii iiii iiiiiiii\n';

/** Ids of the added tokens: two special ones, and one that is ordinary text. */
export const added = { eos: 0, mask: 1, tab: 2 };

/** GPT-2's alphabet, written from its published definition. */
function alphabet(): string[] {
  const printable = [...range(0x21, 0x7e), ...range(0xa1, 0xac), ...range(0xae, 0xff)];
  const others = [...range(0, 255)].filter((byte) => !printable.includes(byte));
  const chars: string[] = [];
  for (const byte of printable) chars[byte] = String.fromCharCode(byte);
  for (const [i, byte] of others.entries()) chars[byte] = String.fromCharCode(256 + i);
  return chars;
}

function* range(first: number, last: number): Generator<number> {
  for (let i = first; i <= last; i++) yield i;
}

/** @param without bytes that get no token, as in SmolLM2's vocabulary */
export function tokenizerJson(mergeCount = 60, without: readonly number[] = []) {
  const chars = alphabet();
  const vocab: Record<string, number> = { '<|endoftext|>': added.eos, '<|mask|>': added.mask };
  let next = Object.keys(added).length;
  for (const [byte, char] of chars.entries()) if (!without.includes(byte)) vocab[char] = next++;

  const merges: [string, string][] = [];
  const words = (SAMPLE.match(/ ?\p{L}+| ?[^\s\p{L}]+|\s+/gu) ?? []).map((word) =>
    Array.from(new TextEncoder().encode(word), (byte) => chars[byte]!),
  );
  while (merges.length < mergeCount) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        const pair = `${word[i]} ${word[i + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const best = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
    const [left, right] = best.split(' ') as [string, string];
    merges.push([left, right]);
    vocab[left + right] ??= next++;
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        if (word[i] === left && word[i + 1] === right) word.splice(i, 2, left + right);
      }
    }
  }
  const token = (id: number, content: string, special: boolean) => ({
    id,
    content,
    special,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  });
  return {
    version: '1.0',
    added_tokens: [
      token(added.eos, '<|endoftext|>', true),
      token(added.mask, '<|mask|>', true),
      token(added.tab, '\t\t', false),
    ],
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Digits', individual_digits: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null as number | null,
      unk_token: null as string | null,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges: merges as (string | [string, string])[],
    },
  };
}
