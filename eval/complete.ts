/** pass@1 of greedy completions on HumanEval in TypeScript, beside the unmodified base model at block length 1. */
import type { Engine } from '../src/engine/engine.ts';
import { openEngine } from '../test/support/engines/engine.ts';
import { openBaseline } from './baseline.ts';
import { FUNCTION_END, functionBody } from './function-text.ts';
import { Outcomes } from './outcomes.ts';
import { Progress } from './progress.ts';
import { Samples } from './samples.ts';
import { Sandbox } from './sandbox/sandbox.ts';
import { COMPLETE, type CompleteProblem, readProblems } from './sets.ts';
import { AUTOREGRESSIVE, type EvalDecoding, readEvalSettings } from './settings.ts';
import { Writer } from './writer.ts';

const MAX_TOKENS = 256;

export async function run(): Promise<object> {
  const settings = readEvalSettings(process.env);
  const problems = await readProblems(COMPLETE, settings);
  const sandbox = new Sandbox(settings.isolation);
  console.log(`generated code: ${sandbox.description}`);
  const samples = await Samples.open(settings.samples);
  const engine = await openEngine(settings.model);
  const maxTokens = settings.tokens ?? MAX_TOKENS;
  const ours = await solve(settings.model, engine, problems, sandbox, samples, settings.decoding, maxTokens);
  const report = { isolation: sandbox.description, ...ours };
  if (settings.baseline === '0') return report;
  const baseline = await openBaseline(settings.baseline, settings.cache);
  const theirs = await solve(baseline.name, baseline.engine, problems, sandbox, samples, AUTOREGRESSIVE, maxTokens);
  return { ...report, baseline: { ...theirs, conversion_s: baseline.conversionSeconds } };
}

async function solve(
  model: string,
  engine: Engine,
  problems: readonly CompleteProblem[],
  sandbox: Sandbox,
  samples: Samples,
  decoding: EvalDecoding,
  maxTokens: number,
): Promise<object> {
  const writer = new Writer(engine, maxTokens, decoding, [FUNCTION_END]);
  const outcomes = new Outcomes();
  const progress = new Progress(model, problems.length);
  for (const { task_id, prompt, test } of problems) {
    // The tokenizer joins a line break with the indentation after it, so the model writes both.
    const start = prompt.trimEnd();
    const completion = await writer.write(start);
    const body = completion && functionBody(start, completion);
    const result = body === null ? 'too_long' : await sandbox.run('typescript', `${start}${body}${test}`);
    outcomes.add(task_id, result);
    await samples.add({ model, task_id, result, text: body });
    progress.step(`${outcomes.passed} passed`);
  }
  return { model, ...outcomes.summary(), ...writer.cost, seconds: progress.seconds };
}
