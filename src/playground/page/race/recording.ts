/** A completion with the times of its events, to be played again. */
import { type RunEnd, RunError, type RunEvent } from '../../shared/run-event.ts';

interface TimedEvent {
  readonly event: RunEvent;
  /** Since the request was sent. */
  readonly ms: number;
  /** Final tokens after the event. */
  readonly tokens: number;
}

export class Recording {
  readonly #events: TimedEvent[] = [];
  #text = '';
  #end: RunEnd | null = null;

  /** Events come in the order of their times. */
  add(event: RunEvent, ms: number, tokens: number): void {
    if (event.type === 'text') this.#text += event.text;
    if (event.type === 'done') this.#end = event;
    this.#events.push({ event, ms, tokens });
  }

  get events(): readonly TimedEvent[] {
    return this.#events;
  }

  get text(): string {
    return this.#text;
  }

  /** Of the whole run. */
  get ms(): number {
    return this.#events.at(-1)?.ms ?? Number.NaN;
  }

  /** @throws RunError if the run ended without a result */
  get end(): RunEnd {
    if (this.#end === null) throw new RunError('The run ended without a result.');
    return this.#end;
  }

  /** When the run had this number of final tokens. Null: it never had. */
  msOf(tokens: number): number | null {
    return this.#events.find((timed) => timed.tokens >= tokens)?.ms ?? null;
  }
}
