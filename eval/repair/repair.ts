/** pass@1 of greedy repairs on HumanEvalFix in JavaScript, and how near each repair is to the fix. */
import { openEngine } from '../../test/support/engines/engine.ts';
import { openBaseline } from '../baseline.ts';
import { Outcomes } from '../outcomes.ts';
import { Progress } from '../progress.ts';
import { Samples } from '../samples.ts';
import { Sandbox } from '../sandbox/sandbox.ts';
import { editSimilarity, Mean } from '../score.ts';
import { REPAIR, type RepairProblem, readProblems } from '../sets.ts';
import { AUTOREGRESSIVE, readEvalSettings } from '../settings.ts';
import { EditInPlace } from './edit-repairer.ts';
import { Regenerate, type Repairer } from './repairer.ts';

export async function run(): Promise<object> {
  const settings = readEvalSettings(process.env);
  const problems = await readProblems(REPAIR, settings);
  const sandbox = new Sandbox(settings.isolation);
  console.log(`generated code: ${sandbox.description}`);
  const samples = await Samples.open(settings.samples);
  const engine = await openEngine(settings.model);
  const { model } = settings;
  const edited = await solve(model, new EditInPlace(engine), problems, sandbox, samples);
  const regenerated = await solve(
    model,
    new Regenerate(engine, settings.decoding, settings.tokens),
    problems,
    sandbox,
    samples,
  );
  const report = { isolation: sandbox.description, ...edited, regenerated };
  if (settings.baseline === '0') return report;
  const baseline = await openBaseline(settings.baseline, settings.cache);
  const theirs = await solve(
    baseline.name,
    new Regenerate(baseline.engine, AUTOREGRESSIVE, settings.tokens),
    problems,
    sandbox,
    samples,
  );
  return { ...report, baseline: { ...theirs, conversion_s: baseline.conversionSeconds } };
}

async function solve(
  model: string,
  repairer: Repairer,
  problems: readonly RepairProblem[],
  sandbox: Sandbox,
  samples: Samples,
): Promise<object> {
  const outcomes = new Outcomes();
  const [exact, untouched, similarity, buggy] = [new Mean(), new Mean(), new Mean(), new Mean()];
  const progress = new Progress(`${model} ${repairer.name}`, problems.length);
  for (const problem of problems) {
    const { task_id, declaration, test } = problem;
    const wanted = problem.canonical_solution.trim();
    const given = problem.buggy_solution.trim();
    const body = await repairer.repair(problem);
    const text = body?.trim() ?? '';
    const result = body === null ? 'too_long' : await sandbox.run('javascript', `${declaration}${body}\n${test}`);
    outcomes.add(task_id, result);
    await samples.add({ model, repairer: repairer.name, task_id, result, text: body });
    exact.add(text === wanted);
    untouched.add(text === given);
    similarity.add(editSimilarity(text, wanted));
    buggy.add(editSimilarity(given, wanted));
    progress.step(`${outcomes.passed} passed`);
  }
  return {
    model,
    repairer: repairer.name,
    ...outcomes.summary(),
    exact_match: exact.rounded,
    unchanged: untouched.rounded,
    edit_similarity: similarity.rounded,
    edit_similarity_of_buggy: buggy.rounded,
    ...repairer.cost,
    seconds: progress.seconds,
  };
}
