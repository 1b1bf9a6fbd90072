/**
 * Patterns of tokenizer.json, which are Oniguruma's, as RegExps that match the same on every host: classes are written
 * out from the tables, and what has another meaning in JavaScript is translated or refused.
 */
import { classSource, complement, type Range, rangesOf, SPACE, union } from './unicode-classes.ts';

/** A pattern uses something that is not translated. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

/** Characters that fold to an ASCII letter in one step, beside its other case. */
const FOLDS: Readonly<Record<string, string>> = { s: 'ſ', k: 'K' };
/** Letter pairs that one character folds to, such as ß and ﬁ. */
const LIGATURES = /ff|fi|fl|ss|st/i;
const LITERAL_ESCAPES: Readonly<Record<string, string>> = { n: '\\n', r: '\\r', t: '\\t', f: '\\f', v: '\\v' };
const GROUPS = ['(?i:', '(?:', '(?!', '(?=', '(?<!', '(?<=', '('] as const;
const SPECIAL = /[\\^$.*+?()[\]{}|/]/;

/** @throws PatternError naming what is not translated */
export function portablePattern(source: string): RegExp {
  return new RegExp(new Translation(source).whole(), 'gu');
}

/** A pattern that matches a text itself. */
export function literalPattern(text: string): RegExp {
  return new RegExp(literalSource(text), 'gu');
}

/** The source of a pattern that matches a text itself. */
export function literalSource(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

class Translation {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  whole(): string {
    const body = this.#alternatives(false);
    if (this.#at < this.#source.length) throw this.#refusal(this.#source.slice(this.#at));
    return body;
  }

  #alternatives(folded: boolean): string {
    let out = '';
    let literal = '';
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      const char = this.#char();
      if (char === '|' || char === '^' || char === '$') {
        // Oniguruma's anchors hold at every line, as it is set up there.
        if (char !== '|') throw this.#refusal(char);
        this.#at += 1;
        out += char;
        literal = '';
        continue;
      }
      const { atom, isClass } = this.#atom(folded);
      if (folded) {
        literal = isClass ? '' : literal + char;
        if (LIGATURES.test(literal)) throw this.#refusal(`(?i:${literal})`);
      }
      out += this.#quantified(atom);
    }
    return out;
  }

  #atom(folded: boolean): { readonly atom: string; readonly isClass: boolean } {
    const char = this.#char();
    if (char === '(') return { atom: this.#group(folded), isClass: true };
    if (char === '[') return { atom: this.#class(folded), isClass: true };
    if (char === '\\') {
      const ranges = this.#escape();
      return { atom: `[${classSource(ranges)}]`, isClass: true };
    }
    if (char === '.') {
      this.#at += 1;
      return { atom: '[^\\n]', isClass: true };
    }
    if (SPECIAL.test(char)) throw this.#refusal(char);
    this.#at += char.length;
    return { atom: folded ? foldedLiteral(char) : escapeLiteral(char), isClass: false };
  }

  #group(folded: boolean): string {
    const opening = GROUPS.find((start) => this.#source.startsWith(start, this.#at))!;
    this.#at += opening.length;
    // A capture would appear in the matches' pieces.
    const written = opening === '(?i:' || opening === '(' ? '(?:' : opening;
    if (this.#source[this.#at] === '?') throw this.#refusal(this.#source.slice(this.#at - 1, this.#at + 3));
    const body = this.#alternatives(folded || opening === '(?i:');
    if (this.#source[this.#at] !== ')') throw this.#refusal('an open group');
    this.#at += 1;
    return `${written}${body})`;
  }

  #class(folded: boolean): string {
    this.#at += 1;
    const negated = this.#source[this.#at] === '^';
    if (negated) this.#at += 1;
    const ranges: Range[] = [];
    for (let first = true; first || this.#source[this.#at] !== ']'; first = false) {
      if (this.#at >= this.#source.length) throw this.#refusal('an open class');
      if (this.#source[this.#at] === '[') throw this.#refusal('a class in a class');
      if (this.#source.startsWith('&&', this.#at)) throw this.#refusal('&&');
      ranges.push(...this.#member());
    }
    this.#at += 1;
    if (folded && ranges.some(([low, high]) => low !== high || /[a-z]/i.test(String.fromCodePoint(low)))) {
      throw this.#refusal('a class in (?i:...)');
    }
    return `[${negated ? '^' : ''}${classSource(union(ranges))}]`;
  }

  /** One member of a class, or a range of two. */
  #member(): readonly Range[] {
    const low = this.#single();
    if (low.length !== 1 || low[0]![0] !== low[0]![1]) return low;
    const last = this.#source[this.#at + 1];
    if (this.#source[this.#at] !== '-' || last === ']' || last === undefined) return low;
    this.#at += 1;
    const high = this.#single();
    if (high.length !== 1 || high[0]![0] < low[0]![0]) throw this.#refusal('a range of classes');
    return [[low[0]![0], high[0]![1]]];
  }

  #single(): readonly Range[] {
    const char = this.#char();
    if (char === '\\') return this.#escape();
    this.#at += char.length;
    return [[char.codePointAt(0)!, char.codePointAt(0)!]];
  }

  /** The class that an escape stands for: one code point, or many. */
  #escape(): readonly Range[] {
    const rest = this.#source.slice(this.#at);
    const property = /^\\([pP])\{(\^?)(\w+)\}/.exec(rest);
    if (property) {
      const [whole, letter, caret, name] = property;
      const ranges = rangesOf(name!);
      if (ranges === null || name === 'space' || name === 'numeric' || name === 'punctuation')
        throw this.#refusal(whole);
      this.#at += whole.length;
      return (letter === 'P') !== (caret === '^') ? complement(ranges) : ranges;
    }
    const code = /^\\(?:x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4}))/.exec(rest);
    if (code) {
      const value = Number.parseInt(code[1] ?? code[2] ?? code[3]!, 16);
      this.#at += code[0].length;
      return [[value, value]];
    }
    const char = rest[1] ?? '';
    this.#at += 2;
    if (char === 's') return SPACE;
    if (char === 'S') return complement(SPACE);
    if (char === 'd') return rangesOf('Nd')!;
    if (char === 'D') return complement(rangesOf('Nd')!);
    const literal = LITERAL_ESCAPES[char];
    const value = literal ? { n: 10, r: 13, t: 9, f: 12, v: 11 }[char]! : char.codePointAt(0);
    // Letters and digits that are escaped have a meaning of their own: \w, \b, \h, \1 ...
    if (value === undefined || (!literal && /[A-Za-z0-9]/.test(char))) throw this.#refusal(`\\${char}`);
    return [[value, value]];
  }

  /** An atom with the quantifier that follows it; a possessive one only after what is matched in one way. */
  #quantified(atom: string): string {
    const found = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(this.#source.slice(this.#at))?.[0];
    if (found === undefined) return atom;
    this.#at += found.length;
    const next = this.#source[this.#at];
    if (next === '?' && found.startsWith('{')) throw this.#refusal(`${found}?`);
    if (next === '?') {
      this.#at += 1;
      return `${atom}${found}?`;
    }
    if (next !== '+') return atom + found;
    if (found.startsWith('{') || !atom.startsWith('[')) throw this.#refusal(`${found}+`);
    this.#at += 1;
    return found === '?' ? `(?:${atom}|(?!${atom}))` : `(?:${atom}${found}(?!${atom}))`;
  }

  #char(): string {
    return String.fromCodePoint(this.#source.codePointAt(this.#at)!);
  }

  #refusal(what: string): PatternError {
    return new PatternError(`${JSON.stringify(what)} in a pattern is not supported`);
  }
}

function escapeLiteral(char: string): string {
  return SPECIAL.test(char) ? `\\${char}` : char;
}

/** Both cases of an ASCII letter, and what folds to it. */
function foldedLiteral(char: string): string {
  if (char > '\x7f') throw new PatternError(`${JSON.stringify(char)} in (?i:...) is not supported`);
  const lower = char.toLowerCase();
  const upper = char.toUpperCase();
  return lower === upper ? escapeLiteral(char) : `[${lower}${upper}${FOLDS[lower] ?? ''}]`;
}
