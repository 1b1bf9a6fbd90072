/**
 * Editing on held-out functions: how often it leaves right code alone, and how often it repairs one token that was changed,
 * inserted or deleted.
 */
import { round } from '../../bench/median.ts';
import { DEFAULT_EDITING, type EditDoneEvent } from '../../src/engine/editing/edit-request.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Cost } from '../../src/engine/request.ts';
import type { Tokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { openEngine, openTokenizer } from '../../test/support/engines/engine.ts';
import { type HeldoutFunction, heldoutFunctions } from '../heldout/heldout-functions.ts';
import { readHeldoutPackages } from '../heldout/heldout-tokens.ts';
import { Progress } from '../progress.ts';
import { editCode } from '../repair/edit-repairer.ts';
import { Mean } from '../score.ts';
import { readEvalSettings } from '../settings.ts';
import { type Corruption, corrupt, corruptions } from './corruptions.ts';

const CLEAN = 100;
const CORRUPTED = 32;
const SEED = 1234;

export async function run(): Promise<object> {
  const settings = readEvalSettings(process.env);
  const packages = await readHeldoutPackages(settings);
  const engine = await openEngine(settings.model);
  const tokenizer = await openTokenizer(settings.model);
  const take = (count: number) => heldoutFunctions(packages, tokenizer, Math.min(count, settings.limit ?? count));
  const mended: Record<string, object> = {};
  const clean = await leaveAlone(engine, take(CLEAN));
  for (const kind of corruptions) mended[kind] = await mend(engine, tokenizer, take(CORRUPTED), kind);
  return { model: settings.model, settings: DEFAULT_EDITING, clean, mended };
}

async function leaveAlone(engine: Engine, functions: readonly HeldoutFunction[]): Promise<object> {
  const untouched = new Mean();
  const byPackage = new Map(functions.map((one) => [one.package, new Mean()]));
  const costs = new Costs();
  const progress = new Progress('clean', functions.length);
  for (const { package: name, text, tokens } of functions) {
    const { result, cost } = await edited(engine, text);
    for (const { oldText, newText, confidence, gain } of result.edits) {
      console.log(
        `changed ${name}: ${show(oldText, newText)} confidence ${round(confidence, 3)}, gain ${round(gain, 1)}`,
      );
    }
    const same = result.text === text;
    untouched.add(same);
    byPackage.get(name)!.add(same);
    costs.add(cost, result.complete, tokens);
    progress.step(`${untouched.rounded} untouched`);
  }
  const packages = Object.fromEntries([...byPackage].map(([name, mean]) => [name, mean.rounded]));
  return {
    functions: functions.length,
    untouched: untouched.rounded,
    packages,
    ...costs.summary(),
    seconds: progress.seconds,
  };
}

async function mend(
  engine: Engine,
  tokenizer: Tokenizer,
  functions: readonly HeldoutFunction[],
  kind: Corruption,
): Promise<object> {
  const [fixed, suspected, unchanged] = [new Mean(), new Mean(), new Mean()];
  const costs = new Costs();
  const progress = new Progress(kind, functions.length);
  for (const [i, { text, tokens }] of functions.entries()) {
    const broken = corrupt(text, tokenizer, kind, SEED + i);
    if (broken === null) continue;
    const { result, cost } = await edited(engine, broken.text);
    for (const { oldText, newText } of result.edits) {
      console.log(
        `${kind} ${show(broken.was, broken.is)} edited ${show(oldText, newText)}${result.text === text ? ' fixed' : ''}`,
      );
    }
    fixed.add(result.text === text);
    suspected.add(result.spans.some(({ start, end }) => start <= broken.end && end >= broken.start));
    unchanged.add(result.text === broken.text);
    costs.add(cost, result.complete, tokens);
    progress.step(`${fixed.rounded} fixed`);
  }
  return {
    functions: fixed.count,
    fixed: fixed.rounded,
    /** A weighed span touches the place. */
    suspected: suspected.rounded,
    unchanged: unchanged.rounded,
    ...costs.summary(),
    seconds: progress.seconds,
  };
}

async function edited(engine: Engine, code: string): Promise<EditDoneEvent> {
  const done = await editCode(engine, code);
  if (done === null) throw new Error('the KV pool is too small for a held-out function: set KV_TOKENS');
  return done;
}

function show(before: string, after: string): string {
  return `${JSON.stringify(before)} -> ${JSON.stringify(after)}`;
}

class Costs {
  readonly #nfe = new Mean();
  readonly #ms = new Mean();
  readonly #complete = new Mean();
  #tokens = 0;
  #positions = 0;

  add(cost: Cost, complete: boolean, tokens: number): void {
    this.#nfe.add(cost.nfe);
    this.#ms.add(cost.decodeMs);
    this.#complete.add(complete);
    this.#tokens += tokens;
    this.#positions += cost.positionForwards;
  }

  summary(): Record<string, number | null> {
    return {
      nfe: this.#nfe.rounded,
      position_forwards_per_token: round(this.#positions / this.#tokens, 1),
      ms: this.#ms.rounded,
      within_max_forwards: this.#complete.rounded,
    };
  }
}
