/** Runs a completion on the page: from its first mask to the text in the editor. */
import type { CompleteJob } from '../../shared/job.ts';
import type { DraftsBySource, RunEnd, Runner } from '../../shared/run-event.ts';
import { DenoiseView, tokenTitle } from '../editor/denoise-view.ts';
import { DraftText, isMask } from '../editor/draft-text.ts';
import type { CodeEditor, EditorSelection } from '../editor/editor.ts';
import type { TextMark } from '../editor/marks.ts';
import { Frame } from '../frame.ts';
import { type Measures, Stopwatch } from '../measures.ts';
import type { Timeline } from '../timeline.ts';

export interface Stage {
  readonly editor: CodeEditor;
  readonly timeline: Timeline;
  /** @param drafts null until the run has ended */
  measured(measures: Measures, drafts: DraftsBySource | null): void;
}

/**
 * Puts the final text into the editor, also when the run fails or is cancelled.
 * @param place the range that the completion replaces
 * @returns a sentence
 * @throws RunError, or the signal's reason
 */
export async function runCompletion(
  runner: Runner,
  job: CompleteJob,
  place: EditorSelection,
  { editor, timeline, measured }: Stage,
  signal: AbortSignal,
): Promise<string> {
  const { blockLength, verify } = job.decoding;
  const draft = new DraftText({ maxTokens: job.maxTokens, blockLength, sliding: verify ?? true });
  const view = new DenoiseView();
  const watch = new Stopwatch(performance.now());
  let end: RunEnd | null = null;
  const measure = () => {
    const [tokens, forwards] = [end?.tokens ?? draft.settledTokens, end?.nfe ?? draft.forwards];
    measured(watch.read(tokens, forwards, draft.revisions), end?.drafts ?? null);
  };
  const frame = new Frame(() => {
    view.draw(draft);
    editor.grown(view.element);
    measure();
  });
  timeline.clear();
  view.draw(draft);
  editor.begin(place, view.element);
  try {
    for await (const event of runner.run(job, signal)) {
      if (event.type === 'text') draft.settle(event.text);
      if (event.type === 'step') {
        draft.step(event.tokens, event.remasked);
        timeline.step(event.tokens, event.remasked);
        watch.tick(performance.now());
      }
      if (event.type === 'done') end = event;
      frame.request();
    }
  } finally {
    frame.stop();
    measure();
    const insertions = draft.settled === '' ? [] : [{ ...place, text: draft.settled }];
    editor.finish(insertions, marksOf(draft, place.from));
  }
  return sentence(end);
}

function sentence(end: RunEnd | null): string {
  if (end === null) return 'The run ended without a result.';
  const tokens = end.tokens === 1 ? '1 token' : `${end.tokens} tokens`;
  if (end.tokens === 0) return 'The model had nothing to write here.';
  const why = end.finishReason === 'length' ? 'all that were allowed' : 'then the model stopped';
  return `${tokens} in ${end.nfe} forwards, ${why}. Undo takes them out.`;
}

function marksOf(draft: DraftText, from: number): readonly TextMark[] {
  const found: TextMark[] = [];
  let at = from;
  for (let position = 0; position < draft.settledTokens; position++) {
    const token = draft.at(position);
    if (isMask(token)) break;
    const kind = token.before === null ? 'written' : 'revised';
    const to = at + token.text.length;
    found.push({ from: at, to, prob: token.prob, kind, title: tokenTitle(token) });
    at = to;
  }
  return found;
}
