/** What the bench of drafts decodes: plain code, code that repeats itself and tests, and edits with a prediction. */
import { COMPLETE, INFILL, readProblems } from '../../eval/sets.ts';
import { readEvalSettings } from '../../eval/settings.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { completeTimed } from '../complete-timed.ts';
import { promptsUpTo } from '../prompts.ts';
import { choice, setting } from '../settings.ts';
import { beforeEdit } from './edits.ts';
import { REPETITIVE, TESTS } from './repetitive-prompts.ts';

export interface Task {
  readonly prompt: string;
  /** New tokens. */
  readonly tokens: number;
  /** `suffix` and `prediction` of the request. */
  readonly fields: object;
}

/** Tasks of one kind. */
export interface Kind {
  readonly name: string;
  readonly tasks: readonly Task[];
  /** Where the prompts are from. */
  readonly set: string;
}

const EDIT_TOKENS = 256;
const PLACES = [1, 3, 8] as const;
const SEED = 21;

/** @param count prompts of a kind at most */
export async function readKinds(engine: Engine, count: number, tokens: number): Promise<readonly Kind[]> {
  const own = (name: string, prompts: readonly string[]) => ({
    name,
    set: 'own',
    tasks: prompts.slice(0, count).map((prompt) => ({ prompt, tokens, fields: {} })),
  });
  const chosen = choice('BENCH_KINDS', ['plain', 'repetition', 'edits']);
  const kinds: Kind[] = [];
  if (chosen.includes('plain')) kinds.push(...(await plain(count, tokens)));
  if (chosen.includes('repetition')) kinds.push(own('repetition', REPETITIVE), own('tests', TESTS));
  if (chosen.includes('edits')) kinds.push(...(await edits(engine, count)));
  return kinds;
}

async function plain(count: number, tokens: number): Promise<readonly Kind[]> {
  if (!setting('SEEDLING_EVAL')) {
    console.log('SEEDLING_EVAL names no folder of evaluation sets: own prompts');
    const tasks = promptsUpTo(count).map((prompt) => ({ prompt, tokens, fields: {} }));
    return [{ name: 'plain', set: 'own', tasks }];
  }
  const settings = { ...readEvalSettings(process.env), limit: count };
  const completed = await readProblems(COMPLETE, settings);
  const filled = await readProblems(INFILL, settings);
  return [
    {
      name: 'plain',
      set: COMPLETE.file,
      tasks: completed.map(({ prompt }) => ({ prompt: prompt.trimEnd(), tokens, fields: {} })),
    },
    {
      name: 'holes',
      set: INFILL.file,
      tasks: filled.map(({ prompt, suffix }) => ({ prompt, tokens, fields: { suffix } })),
    },
  ];
}

/** The texts are the model's own, so that a prediction differs from them in the replaced lines alone. */
async function edits(engine: Engine, count: number): Promise<readonly Kind[]> {
  const texts: { readonly prompt: string; readonly text: string }[] = [];
  for (const prompt of promptsUpTo(count)) {
    const { timed } = await completeTimed(engine, prompt, EDIT_TOKENS, {});
    texts.push({ prompt, text: timed.text });
  }
  return PLACES.map((places) => ({
    name: `edits, ${places} ${places === 1 ? 'place' : 'places'}`,
    set: 'own',
    tasks: texts.map(({ prompt, text }, i) => {
      const others = texts.filter((_, j) => j !== i).flatMap((other) => linesOf(other.text));
      const content = beforeEdit(text, places, others.length > 0 ? others : linesOf(text).reverse(), SEED + i);
      return { prompt, tokens: EDIT_TOKENS, fields: { prediction: { type: 'content', content } } };
    }),
  }));
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
