/**
 * Takes apart prompts that editors build for another model: prefix and suffix of a hole between that family's markers.
 * So this model gets the hole with its own markers.
 */
import { commentLine } from '../../engine/comment-line.ts';
import { lineBreakAt, withLineBreaks, withLineFeeds } from '../../engine/generation/line-breaks.ts';
import type { ModelConfig } from '../../model/config.ts';
import type { OnePrompt } from '../fields/prompt.ts';

export interface TemplatedHole {
  readonly prefix: string;
  readonly suffix: string;
}

/** One family's markers. What follows `middle`, if anything, is the beginning of the hole's content. */
interface Markers {
  readonly prefix: string;
  readonly suffix: string;
  readonly middle: string;
  /** The family writes a space between a part and the marker beside it. */
  readonly spaced?: boolean;
}

const FAMILIES: readonly Markers[] = [
  // Qwen2.5-Coder, CodeGemma, Granite, and this project's own models.
  { prefix: '<|fim_prefix|>', suffix: '<|fim_suffix|>', middle: '<|fim_middle|>' },
  // StarCoder, StarCoder 2, Stable Code.
  { prefix: '<fim_prefix>', suffix: '<fim_suffix>', middle: '<fim_middle>' },
  // SantaCoder.
  { prefix: '<fim-prefix>', suffix: '<fim-suffix>', middle: '<fim-middle>' },
  // DeepSeek Coder calls the place of the hole so, and the end of the prompt `end`.
  { prefix: '<｜fim▁begin｜>', suffix: '<｜fim▁hole｜>', middle: '<｜fim▁end｜>' },
  // CodeLlama.
  { prefix: '<PRE>', suffix: '<SUF>', middle: '<MID>', spaced: true },
  // CodeGeeX 4 and GLM.
  { prefix: '<|code_prefix|>', suffix: '<|code_suffix|>', middle: '<|code_middle|>' },
];

/** Codestral has no middle: the suffix comes first, and the prefix runs to the end. */
const CODESTRAL = { prefix: '[PREFIX]', suffix: '[SUFFIX]' } as const;

/** The hole that a template has been built around, where the model can fill one. */
export function templatedHole(prompt: OnePrompt, { infill }: ModelConfig): TemplatedHole | null {
  return typeof prompt === 'string' && infill !== null ? readFimPrompt(prompt) : null;
}

/**
 * The hole of a prompt that one of the known templates has built: prefix, suffix, middle, or suffix first.
 * @returns null for any other prompt, one that only names the markers among them; also where a marker stands twice, as nobody can say which one is meant
 */
export function readFimPrompt(prompt: string): TemplatedHole | null {
  for (const markers of FAMILIES) {
    const hole = readMarked(prompt, markers);
    if (hole) return hole;
  }
  return readCodestral(prompt);
}

function readMarked(prompt: string, { prefix, suffix, middle, spaced = false }: Markers): TemplatedHole | null {
  const [p, s, m] = [onlyIndex(prompt, prefix), onlyIndex(prompt, suffix), onlyIndex(prompt, middle)];
  if (p < 0 || s < 0 || m < 0) return null;
  const head = prompt.slice(0, Math.min(p, s));
  if (!isHead(head, FILE_TAG)) return null;
  const part = (start: number, end: number, after: boolean, before: boolean) => {
    const text = prompt.slice(start, end);
    if (!spaced) return text;
    const from = after && text.startsWith(' ') ? 1 : 0;
    return text.slice(from, before && text.endsWith(' ') && text.length > from ? -1 : undefined);
  };
  const begun = part(m + middle.length, prompt.length, true, false);
  if (p < s && s < m) {
    const before = part(p + prefix.length, s, true, true);
    return holeAfter(head, before + begun, part(s + suffix.length, m, false, true));
  }
  if (s < p && p < m) {
    const before = part(p + prefix.length, m, true, true);
    return holeAfter(head, before + begun, part(s + suffix.length, p, false, true));
  }
  return null;
}

function readCodestral(prompt: string): TemplatedHole | null {
  const [s, p] = [onlyIndex(prompt, CODESTRAL.suffix), onlyIndex(prompt, CODESTRAL.prefix)];
  if (s < 0 || p < s) return null;
  if (!isHead(prompt.slice(0, s), CODESTRAL_FILE)) return null;
  const before = prompt.slice(p + CODESTRAL.prefix.length);
  return holeAfter(prompt.slice(0, s), before, prompt.slice(s + CODESTRAL.suffix.length, p));
}

/** -1 also for a text that stands there more than once. */
function onlyIndex(text: string, marker: string): number {
  const at = text.indexOf(marker);
  return at >= 0 && text.indexOf(marker, at + 1) < 0 ? at : -1;
}

/** Start-of-text markers that templates put first. */
const START = /^(<s>|<bos>|<｜begin▁of▁sentence｜>|<\|endoftext\|>|\[gMASK\]<sop>)\s?/;
/** Of a repository and its files: the name follows, up to the end of its line. */
const FILE_TAG = /<\|?(?:repo_name|reponame|file_sep|file_separator|filename)\|?>([^\n<]*)/g;
/** llama.vscode, in its OpenAI mode, puts other files before the frame under this line. */
const OTHER_FILES = 'Context:\n\n';
/** Codestral's name of another file. */
const CODESTRAL_FILE = /\+\+\+\+\+ [^\n]+\n/g;
const STARS = /<gh_stars>[\d-]*/g;

/** Whether a frame may begin so: with its first marker, or with another file in the words of its client. Code that only names markers does not. */
function isHead(head: string, file: RegExp): boolean {
  const text = head.replace(START, '');
  return text === '' || text.startsWith(OTHER_FILES) || text.search(file) === 0;
}

/**
 * Other files come before the hole. Their tags mean nothing to this model, so a name becomes a comment on its own line. They get
 * the line breaks of the file with the hole: its answer has that file's.
 */
function holeAfter(head: string, prefix: string, suffix: string): TemplatedHole {
  const others = withLineBreaks(withLineFeeds(plain(head.replace(START, ''))), lineBreakAt(prefix, suffix));
  return { prefix: others + plain(prefix), suffix };
}

function plain(marked: string): string {
  const text = marked.replace(STARS, '');
  return text.replace(FILE_TAG, (_tag, name: string, at: number) => {
    const comment = name.trim() === '' ? '' : commentLine(name.trim(), name.trim());
    return at === 0 || text[at - 1] === '\n' ? comment : `\n${comment}`;
  });
}
