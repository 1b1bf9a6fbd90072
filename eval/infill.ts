/**
 * Infill: lines and spans of held-out packages (exact match, edit similarity), and random spans of HumanEval in Python
 * (the same, and pass@1).
 */
import { openTokenizer } from '../test/support/engines/engine.ts';
import { decodeIds } from './heldout/decode-ids.ts';
import { evenStarts, readHeldoutPackages, shareOf } from './heldout/heldout-tokens.ts';
import { type Hole, lineHole, spanHole } from './heldout/holes.ts';
import { openInfillEngine } from './infiller.ts';
import { Outcomes } from './outcomes.ts';
import { Progress } from './progress.ts';
import { Samples } from './samples.ts';
import { Sandbox } from './sandbox/sandbox.ts';
import { editSimilarity, Mean } from './score.ts';
import { INFILL, readProblems } from './sets.ts';
import { readEvalSettings } from './settings.ts';
import { Writer } from './writer.ts';

/** Holes of each kind in held-out packages. */
const HOLES = 48;
const WINDOW_TOKENS = 320;
const HOLE_TOKENS = 64;
/** The longest span of the Python set is 417 characters. */
const SPAN_TOKENS = 160;
const END_OF_TEXT = 0;
const SEED = 1234;

export async function run(): Promise<object> {
  const settings = readEvalSettings(process.env);
  const packages = await readHeldoutPackages(settings);
  const problems = await readProblems(INFILL, settings);
  const sandbox = new Sandbox(settings.isolation);
  console.log(`generated code: ${sandbox.description}`);
  const samples = await Samples.open(settings.samples);
  const engine = await openInfillEngine(settings.model);
  const tokenizer = await openTokenizer(settings.model);
  const infiller = (maxTokens: number) =>
    new Writer(engine, Math.min(maxTokens, settings.tokens ?? maxTokens), settings.decoding, []);

  const count = Math.min(HOLES, settings.limit ?? HOLES);
  const windows = packages.flatMap(({ tokens }, index) =>
    evenStarts(tokens.length, WINDOW_TOKENS, shareOf(count, index, packages.length)).map((start) =>
      decodeIds(tokenizer, longestDocument(tokens.subarray(start, start + WINDOW_TOKENS))),
    ),
  );
  const line = await fillHoles('lines', windows, lineHole, infiller(HOLE_TOKENS), samples);
  const span = await fillHoles('spans', windows, spanHole, infiller(HOLE_TOKENS), samples);

  const python = new Scores();
  const outcomes = new Outcomes();
  const filler = infiller(SPAN_TOKENS);
  const progress = new Progress('python', problems.length);
  for (const { task_id, prompt, suffix, canonical_solution, test, entry_point } of problems) {
    const middle = (await filler.write(prompt, suffix))?.text ?? null;
    python.add(middle ?? '', canonical_solution);
    const program = `${prompt}${middle}${suffix}\n${test}\ncheck(${entry_point})\n`;
    const result = middle === null ? 'too_long' : await sandbox.run('python', program);
    outcomes.add(task_id, result);
    await samples.add({ task_id, result, text: middle, wanted: canonical_solution });
    progress.step(`${outcomes.passed} passed`);
  }
  return {
    model: settings.model,
    isolation: sandbox.description,
    line,
    span,
    python: { ...outcomes.summary(), ...python.summary(), ...filler.cost, seconds: progress.seconds },
  };
}

/** The longest run without a document's end: (N) -> (M). */
function longestDocument(window: Uint16Array): Uint16Array {
  let longest = window.subarray(0, 0);
  for (let start = 0; start < window.length; ) {
    const found = window.indexOf(END_OF_TEXT, start);
    const end = found === -1 ? window.length : found;
    if (end - start > longest.length) longest = window.subarray(start, end);
    start = end + 1;
  }
  return longest;
}

async function fillHoles(
  label: string,
  texts: readonly string[],
  dig: (text: string, seed: number) => Hole | null,
  infiller: Writer,
  samples: Samples,
): Promise<object> {
  const holes = texts.map((text, i) => dig(text, SEED + i)).filter((hole) => hole !== null);
  const scores = new Scores();
  const progress = new Progress(label, holes.length);
  for (const { prefix, middle, suffix } of holes) {
    const text = (await infiller.write(prefix, suffix))?.text;
    scores.add(text ?? '', middle);
    await samples.add({ kind: label, text, wanted: middle });
    progress.step(`${scores.exact.rounded} exact`);
  }
  return { holes: holes.length, ...scores.summary(), ...infiller.cost, seconds: progress.seconds };
}

/** How near the middles are to the original ones. One that did not fit the context counts as empty. */
class Scores {
  readonly exact = new Mean();
  readonly #similarity = new Mean();

  add(middle: string, wanted: string): void {
    this.exact.add(middle === wanted);
    this.#similarity.add(editSimilarity(middle, wanted));
  }

  summary(): Record<string, number | null> {
    return { exact_match: this.exact.rounded, edit_similarity: this.#similarity.rounded };
  }
}
