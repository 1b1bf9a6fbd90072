/** Turns the reader's text and choices into a job, and remembers the place in the text that the job is for. */
import type { CompleteJob, RepairJob } from '../shared/job.ts';
import type { Controls } from './controls.ts';
import type { CodeEditor, EditorSelection } from './editor/editor.ts';

export type PlacedJob =
  | { readonly job: CompleteJob; readonly place: EditorSelection }
  | { readonly job: RepairJob; readonly place: null };

export function jobFromEditor(editor: CodeEditor, controls: Controls): PlacedJob {
  const { text, selection } = editor;
  const { mode } = controls;
  if (mode === 'repair') {
    const { from, to } = selection;
    const region = to > from ? { start: from, end: to } : null;
    return { job: { kind: 'repair', code: text, region, instruction: controls.instruction }, place: null };
  }
  const end = { from: text.length, to: text.length };
  const cursor = { from: selection.to, to: selection.to };
  const place = mode === 'infill' ? selection : controls.atCursor ? cursor : end;
  const after = text.slice(place.to);
  const { maxTokens, temperature, seed, decoding } = controls;
  const job: CompleteJob = {
    kind: 'complete',
    prompt: text.slice(0, place.from),
    // Without text after it, there is no hole.
    suffix: mode === 'infill' && after !== '' ? after : null,
    maxTokens,
    temperature,
    seed,
    decoding,
  };
  return { job, place };
}
