/** Runs a repair on the page: it shows places while they are weighed, then the changes in the editor. */
import type { RepairJob } from '../../shared/job.ts';
import type { RunEvent, Runner, TextChange } from '../../shared/run-event.ts';
import type { CodeEditor } from '../editor/editor.ts';
import type { TextMark } from '../editor/marks.ts';
import type { Reading } from '../panel.ts';

/**
 * @param show called whenever a reading changes
 * @returns a sentence
 * @throws RunError, or the signal's reason; the code is then as it was
 */
export async function runRepair(
  runner: Runner,
  job: RepairJob,
  editor: CodeEditor,
  show: (readings: readonly Reading[]) => void,
  signal: AbortSignal,
): Promise<string> {
  const start = performance.now();
  const weighed: TextMark[] = [];
  let result: Extract<RunEvent, { type: 'edited' }> | null = null;
  const read = () => show(readings(result, weighed.length, performance.now() - start));
  const { start: from, end: to } = job.region ?? { start: 0, end: 0 };
  editor.begin({ from, to }, null);
  read();
  try {
    for await (const event of runner.run(job, signal)) {
      if (event.type === 'edited') result = event;
      if (event.type !== 'span') continue;
      const title = `probability ${event.prob.toPrecision(2)} given what stands before`;
      weighed.push({ from: event.start, to: event.end, prob: event.prob, kind: 'weighed', title });
      editor.mark(weighed);
      read();
    }
  } finally {
    const changes = result?.changes ?? [];
    editor.finish(
      changes.map((change) => ({ from: change.start, to: change.end, text: change.newText })),
      changes.length > 0 ? marksOf(changes) : weighed,
    );
    read();
  }
  return sentence(result, weighed.length);
}

function readings(
  result: { nfe: number; changes: readonly unknown[] } | null,
  places: number,
  ms: number,
): readonly Reading[] {
  return [
    ['Places weighed', result && places === 0 ? '\u2013' : String(places)],
    ['Changes', result ? String(result.changes.length) : '\u2013'],
    ['Forwards', result && result.nfe > 0 ? String(result.nfe) : '\u2013'],
    ['Time', `${(ms / 1000).toFixed(1)} s`],
  ];
}

function sentence(result: Extract<RunEvent, { type: 'edited' }> | null, places: number): string {
  if (result === null) return 'The run ended without a result.';
  const early = result.complete ? '' : ' The limit on forwards came first, so not all of it was looked at.';
  const { length } = result.changes;
  if (length === 0 && places === 0) return `Nothing to change: the model finds this code probable.${early}`;
  if (length === 0) return `No change was sure enough to make; what looked improbable is marked.${early}`;
  return `${length === 1 ? 'One change' : `${length} changes`} made. Undo takes all of it back.${early}`;
}

/** Marks on the new texts. Offsets are in the code after all changes. */
function marksOf(changes: readonly TextChange[]): readonly TextMark[] {
  let moved = 0;
  return changes.map(({ start, end, newText, confidence }) => {
    const from = start + moved;
    moved += newText.length - (end - start);
    const title = `probability ${confidence.toFixed(2)}`;
    return { from, to: from + newText.length, prob: confidence, kind: 'written', title };
  });
}
