/** One page about a converted model on this machine, which a user can paste into a report. */
import { decisions, type StoredTypes } from '../../src/convert/decisions.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { predictsNext } from '../../src/model/config.ts';
import type { CostCurve } from '../../src/model/cost-curve.ts';
import type { DiffusionModel } from '../../src/model/model.ts';
import { type Completion, completeGreedily } from '../../test/support/engines/engine.ts';
import type { Provenance } from '../provenance.ts';

export interface Checked {
  readonly engine: Engine;
  readonly types: StoredTypes;
  /** Text of the added tokens, by id. */
  readonly tokens: ReadonlyMap<number, string>;
  /** That the weights took to load. */
  readonly loadSeconds: number;
  readonly where: Provenance;
}

interface Run {
  readonly completion: Completion;
  readonly seconds: number;
}

/** Of each completion, in tokens. */
const MAX_TOKENS = 48;

/**
 * Decodes every prompt twice: as a request that chooses nothing, and one token at a time.
 * @returns the page, and whether texts that have to be equal are
 */
export async function checkPage(
  { engine, types, tokens, loadSeconds, where }: Checked,
  prompts: readonly string[],
): Promise<{ text: string; sound: boolean }> {
  const { model } = engine;
  const verifies = predictsNext(model.config);
  const rows: string[] = [];
  const [own, sequential]: [Run[], Run[]] = [[], []];
  let equal = 0;
  for (const prompt of prompts) {
    const run = await timed(() => complete(engine, prompt, null, null));
    const alone = await timed(() => complete(engine, prompt, 1, false));
    own.push(run);
    sequential.push(alone);
    const same = run.completion.text === alone.completion.text;
    equal += Number(same);
    rows.push(promptRow(prompt, run.completion, alone.completion, verifies));
  }
  const sections = [
    `# check-model ${model.config.name}`,
    origin(where, model),
    `## Decided\n\n${decisions({ config: model.config, types, tokens })}`,
    `## Memory\n\n${memory(model, loadSeconds)}`,
    `## Forward cost\n\n${costs(model.costs)}`,
    `## ${prompts.length} prompts, greedy, ${MAX_TOKENS} tokens at most\n\n${rows.join('\n')}`,
    totals(own, sequential),
    agreement(equal, prompts.length, verifies, model.config.contextAttention),
  ];
  return { text: sections.join('\n\n'), sound: !verifies || equal === prompts.length };
}

function complete(engine: Engine, prompt: string, blockLength: number | null, verify: boolean | null) {
  return completeGreedily(engine, prompt, { maxTokens: MAX_TOKENS, blockLength, threshold: null, verify });
}

async function timed(work: () => Promise<Completion>): Promise<Run> {
  const start = performance.now();
  const completion = await work();
  return { completion, seconds: (performance.now() - start) / 1000 };
}

function origin({ processor, commit }: Provenance, { runtime, dot }: DiffusionModel): string {
  const { model, cores, vnni } = processor;
  const more = vnni === null ? '' : vnni ? ', VNNI' : ', no VNNI';
  return [
    `processor ${model}, ${cores} cores${more}`,
    `system    ${process.platform} ${process.arch}, Node ${process.versions.node}`,
    `commit    ${commit ?? 'unknown'}`,
    `runtime   ${runtime}${dot === undefined ? '' : `, dot product ${JSON.stringify(dot)}`}`,
  ].join('\n');
}

function memory({ memory: use, maxTokens }: DiffusionModel, loadSeconds: number): string {
  const mib = (bytes: number) => `${(bytes / (1 << 20)).toFixed(1)} MiB`;
  return [
    `weights ${mib(use.weights)}, KV ${mib(use.kvPool)} for ${maxTokens} tokens, scratch ${mib(use.scratch)}, ` +
      `together ${mib(use.total)}`,
    `process ${mib(process.memoryUsage().rss)}, loaded in ${loadSeconds.toFixed(1)} s`,
  ].join('\n');
}

function costs({ source, positions, costs: of }: CostCurve): string {
  const line = (name: string, values: readonly string[]) => name + values.map((value) => value.padStart(7)).join('');
  return [
    line('positions ', positions.map(String)),
    line(
      'cost      ',
      of.map((cost) => cost.toFixed(2)),
    ),
    `relative to one position, ${source}`,
  ].join('\n');
}

function promptRow(prompt: string, own: Completion, alone: Completion, verifies: boolean): string {
  const name = JSON.stringify(prompt.split('\n', 1)[0]!.slice(0, 36)).padEnd(39);
  const counts = `${String(own.tokens).padStart(3)} tokens ${String(own.cost.nfe).padStart(3)} forwards`;
  const rate = `${tokensAForward([own]).toFixed(2)} a forward`;
  return `${name}${counts}  ${rate}${verifies ? `  ${comparison(own.text, alone.text)}` : ''}`;
}

function comparison(own: string, alone: string): string {
  if (own === alone) return 'equal';
  const at = [...own].findIndex((char, i) => char !== [...alone][i]);
  return `DIFFERS from character ${at === -1 ? own.length : at}`;
}

function tokensAForward(completions: readonly Completion[]): number {
  const tokens = completions.reduce((sum, { tokens }) => sum + tokens, 0);
  const forwards = completions.reduce((sum, { cost }) => sum + cost.nfe, 0);
  return forwards === 0 ? 0 : tokens / forwards;
}

function totals(own: readonly Run[], sequential: readonly Run[]): string {
  const line = (runs: readonly Run[]) => {
    const completions = runs.map(({ completion }) => completion);
    const tokens = completions.reduce((sum, { tokens }) => sum + tokens, 0);
    const seconds = runs.reduce((sum, run) => sum + run.seconds, 0);
    return `${tokensAForward(completions).toFixed(2)} tokens a forward, ${(tokens / seconds).toFixed(1)} tokens/s`;
  };
  return `by default         ${line(own)}\none token at a time ${line(sequential)}`;
}

function agreement(equal: number, all: number, verifies: boolean, context: string): string {
  if (verifies)
    return `Verified and sequential text: ${equal} of ${all} equal${equal === all ? '' : ', which is a FAULT'}.`;
  return `Verified and sequential text: not compared, because drafts are not verified under ${context} context.`;
}
