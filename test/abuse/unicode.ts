/** Texts of every kind of character, for what must come back as it went in. */
const CATEGORIES = 'Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn'.split(' ');
/** Characters of each, from all over the code space. */
const MOST = 24;

function ofCategory(category: string): string {
  const pattern = new RegExp(`^\\p{${category}}$`, 'u');
  const found: string[] = [];
  // A prime apart, so that few blocks are missed; small categories are in the first planes.
  for (const step of [1, 257]) {
    for (let code = 0; code <= 0x10ffff && found.length < (step === 1 ? MOST / 2 : MOST); code += step) {
      const character = String.fromCodePoint(code);
      if (pattern.test(character)) found.push(character);
    }
  }
  return found.join('');
}

const noncharacters = String.fromCodePoint(
  0xfdd0,
  0xfdef,
  ...Array.from({ length: 17 }, (_, i) => i * 0x10000 + 0xffff),
);

export const UNICODE_TEXTS: readonly (readonly [name: string, text: string])[] = [
  ...CATEGORIES.map((category) => [category, ofCategory(category)] as const),
  ['noncharacters', noncharacters],
  ['private planes', String.fromCodePoint(0xe000, 0xf0000, 0x10fffd)],
  ['right to left', 'שלום עולם؟ \u202eabc\u202c مرحبا \u2067x\u2069'],
  ['stacked marks', `a${'\u0301\u0323\u20dd'.repeat(40)} e\u0301 \u00e9`],
  ['ZWJ emoji', '👩‍👩‍👧‍👦 🏳️‍🌈 👨🏽‍💻 🇩🇪 1️⃣'],
  ['NUL', 'a\0b\0\0'],
  ['byte order marks', '\ufeffa\ufeff'],
  ['U+FFFD itself', 'a\ufffdb'],
  ['line ends', 'a\r\nb\rc\nd\u0085e\u2028f\u2029g\u000bh\u000c'],
  ['Hangul jamo', '\u1112\u1161\u11ab 한'],
  ['bounds of UTF-8', '\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}'],
];
