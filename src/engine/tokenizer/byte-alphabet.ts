/**
 * GPT-2's byte-to-unicode alphabet (Radford et al. 2019, `bytes_to_unicode`): printable Latin-1 characters stand for
 * themselves, the other bytes for U+0100 onwards, so that every byte has a visible character.
 */

const ALPHABET_END = 0x144;

/** Character code -> byte, or -1. */
export const byteOfChar: Int16Array = buildInverse(); // (0x144)

function buildInverse(): Int16Array {
  const bytes = new Int16Array(ALPHABET_END).fill(-1);
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) bytes[printable(byte) ? byte : next++] = byte;
  return bytes;
}
