/** Token-to-token editing: it finds the tokens that the model finds improbable, and rewrites them in place. */
import { accepts } from './accept.ts';
import { type EditForwards, ForwardsSpent } from './edit-forwards.ts';
import { EditedTokens, type TokenEdit } from './edited-tokens.ts';
import { commitUpTo, isConfirmed, leaveOneOut, localise, type Span, type Suspect } from './localise.ts';
import { type Candidate, propose } from './propose.ts';
import { type EditingSettings, GROW } from './settings.ts';

export interface EditTask {
  /** Context and code: at least one token of context before the first that may be edited. */
  readonly ids: Int32Array; // (N)
  /** Whether the token at an index may be replaced. */
  readonly editable: (index: number) => boolean;
  /** Whether an id may be written. */
  readonly usable: (id: number) => boolean;
  /** Capacity of the cache in tokens, N or more. */
  readonly maxTokens: number;
  readonly settings: EditingSettings;
}

/** A span was suspected, and rewritten when `accepted` is there. */
export interface ConsideredEvent {
  readonly type: 'considered';
  /** From 1. */
  readonly pass: number;
  /** Original tokens that the span stands for: from `start` to before `end`. */
  readonly start: number;
  readonly end: number;
  /** The tokens of the span. */
  readonly old: Int32Array;
  readonly suspects: readonly Suspect[];
  /** By likelihood, best first. */
  readonly candidates: readonly Candidate[];
  /** The candidate that was written. */
  readonly accepted: Candidate | null;
}

export interface EditedEvent {
  readonly type: 'edited';
  /** Everything that changed, in order. */
  readonly edits: readonly TokenEdit[];
  /** Passes that began. */
  readonly passes: number;
  /** False when the forwards ran out first. */
  readonly complete: boolean;
}

export type EditingEvent = ConsideredEvent | EditedEvent;

/** Tokens that an edit may add to its text, all together, where the context has room for them. */
export const ROOM_TO_GROW = 8 * GROW;

/**
 * Makes at most `settings.passes` passes, each left to right. A later pass begins a little before the first edit of the pass
 * before it. An edit is made only if `accepts` allows it; every other token stays. The last event is `edited`.
 * @throws the signal's reason on abort, within one forward; and whatever the model throws
 */
export async function* edit(forwards: EditForwards, task: EditTask): AsyncGenerator<EditingEvent, void, void> {
  const { ids, editable, settings } = task;
  const tokens = new EditedTokens(ids, editable);
  let passes = 0;
  let complete = true;
  try {
    for (let from: number | null = 1; from !== null && passes < settings.passes; ) {
      passes += 1;
      from = yield* editOnce(forwards, tokens, task, from, passes);
    }
  } catch (error) {
    if (!(error instanceof ForwardsSpent)) throw error;
    complete = false;
  }
  yield { type: 'edited', edits: tokens.edits(), passes, complete };
}

/** @returns where the next pass begins, or null when this one changed nothing */
async function* editOnce(
  forwards: EditForwards,
  tokens: EditedTokens,
  task: EditTask,
  begin: number,
  pass: number,
): AsyncGenerator<ConsideredEvent, number | null, void> {
  const { settings, usable, maxTokens } = task;
  let [from, to] = [begin, tokens.length];
  while (from < to && !tokens.isEditable(from)) from++;
  while (to > from && !tokens.isEditable(to - 1)) to--;
  if (from === to) return null;

  let first: number | null = null;
  let shift = 0;
  for (const found of await localise(forwards, tokens, from, to, settings)) {
    let span = moved(found, shift);
    await commitUpTo(forwards, tokens, span.start - 1);
    if (first !== null) {
      // An edit to the left may have made this span probable.
      span = await judgedAgain(forwards, tokens, span, settings);
      if (!span.suspects.every((suspect) => isConfirmed(suspect, settings))) continue;
      await commitUpTo(forwards, tokens, span.start - 1);
    }
    const candidates = await propose(forwards, tokens, span, maxTokens - tokens.length, usable, settings);
    const accepted = candidates.find((candidate) => accepts(candidate, settings)) ?? null;
    const old = tokens.slice(span.start, span.end);
    const { start, end } = tokens.against(span.start, span.end, old);
    if (accepted) {
      tokens.replace(accepted.start, accepted.end, accepted.ids, accepted.confidence, accepted.gain);
      shift += accepted.ids.length - (accepted.end - accepted.start);
      first ??= accepted.start;
    }
    yield { type: 'considered', pass, start, end, old, suspects: span.suspects, candidates, accepted };
  }
  // Tokens whose right context was edited may have other probabilities now.
  return first === null ? null : Math.max(1, first - settings.blockLength);
}

function moved({ start, end, suspects }: Span, by: number): Span {
  return {
    start: start + by,
    end: end + by,
    suspects: suspects.map((suspect) => ({ ...suspect, at: suspect.at + by })),
  };
}

/** The same span with its tokens judged again, right to left, because the cache only shrinks. */
async function judgedAgain(
  forwards: EditForwards,
  tokens: EditedTokens,
  span: Span,
  settings: EditingSettings,
): Promise<Span> {
  await commitUpTo(forwards, tokens, span.end - 2);
  const suspects: Suspect[] = [];
  for (const suspect of [...span.suspects].reverse()) {
    suspects.unshift(await leaveOneOut(forwards, tokens, suspect, settings));
  }
  return { ...span, suspects };
}
