/** Runs a job one token at a time and as the default, each alone, and plays both on one clock. */
import { AUTOMATIC, type CompleteJob, type JobDecoding, ONE_AT_A_TIME } from '../../shared/job.ts';
import type { Runner } from '../../shared/run-event.ts';
import { element } from '../elements.ts';
import { Frame } from '../frame.ts';
import { RaceLane } from './lane.ts';
import { Recording } from './recording.ts';
import { ratioSoFar, speedUp, verdict } from './standing.ts';

/** Tokens of the run before the race. It reads the prompt and warms what both need, and drafts nothing. */
const WARMING_TOKENS = 4;

interface Racer {
  readonly lane: RaceLane;
  readonly recording: Recording;
}

interface Finished {
  readonly one: Racer;
  readonly auto: Racer;
  readonly maxTokens: number;
  readonly verdict: string;
}

export class Race {
  readonly #one = new RaceLane('one', ONE_AT_A_TIME);
  readonly #auto = new RaceLane('auto', AUTOMATIC);
  readonly #standing = element('race-standing', HTMLElement);
  #finished: Finished | null = null;

  /** Whether there is a race to be played again. */
  get isFinished(): boolean {
    return this.#finished !== null;
  }

  /**
   * @param job its decoding does not matter
   * @param say gets a sentence when a run begins
   * @returns the verdict
   * @throws RunError, or the signal's reason
   */
  async run(runner: Runner, job: CompleteJob, say: (sentence: string) => void, signal: AbortSignal): Promise<string> {
    this.#finished = null;
    this.#standing.textContent = '';
    try {
      this.#finished = await this.#race(runner, job, say, signal);
      return this.#finished.verdict;
    } finally {
      // Half a race has no result.
      this.#standing.textContent = this.#finished?.verdict ?? '';
    }
  }

  /** Plays the last race at its own speed. When the signal comes, it shows the end. @returns the verdict */
  async play(signal: AbortSignal): Promise<string> {
    if (this.#finished === null) throw new Error('no race to be played again');
    const { one, auto, maxTokens, verdict } = this.#finished;
    const players = [one, auto].map((racer) => player(racer, maxTokens));
    const length = Math.max(one.recording.ms, auto.recording.ms);
    const start = performance.now();
    for (let ms = 0; ms < length && !signal.aborted; ms = (await nextFrame()) - start) {
      for (const play of players) play(ms);
      this.#stand(one, auto);
    }
    for (const play of players) play(length);
    this.#standing.textContent = verdict;
    return verdict;
  }

  async #race(
    runner: Runner,
    job: CompleteJob,
    say: (sentence: string) => void,
    signal: AbortSignal,
  ): Promise<Finished> {
    const { maxTokens } = job;
    for (const lane of [this.#one, this.#auto]) lane.begin(maxTokens);
    say('A few tokens first, so that both find the prompt read.');
    await warm(runner, job, signal);
    const one = { lane: this.#one, recording: new Recording() };
    const auto = { lane: this.#auto, recording: new Recording() };
    say('One token at a time runs alone.');
    await measure(runner, job, ONE_AT_A_TIME, one, () => {}, signal);
    say('The default runs alone.');
    await measure(runner, job, AUTOMATIC, auto, () => this.#stand(one, auto), signal);
    return { one, auto, maxTokens, verdict: verdict(one.recording, auto.recording) };
  }

  #stand(one: Racer, auto: Racer): void {
    const ratio = ratioSoFar(one.recording, auto.recording, auto.lane.tokens);
    this.#standing.textContent = ratio === null ? '' : `The default so far: ${speedUp(ratio)}.`;
  }
}

/** Runs the job, and shows and records it. @param drawn called after each drawing */
async function measure(
  runner: Runner,
  job: CompleteJob,
  decoding: JobDecoding,
  { lane, recording }: Racer,
  drawn: () => void,
  signal: AbortSignal,
): Promise<void> {
  const start = performance.now();
  const frame = new Frame(() => {
    lane.draw(performance.now() - start);
    drawn();
  });
  try {
    for await (const event of runner.run({ ...job, decoding }, signal)) {
      const ms = performance.now() - start;
      lane.apply(event);
      recording.add(event, ms, lane.tokens);
      frame.request();
    }
  } finally {
    frame.stop();
  }
  lane.draw(recording.ms);
}

async function warm(runner: Runner, job: CompleteJob, signal: AbortSignal): Promise<void> {
  const maxTokens = Math.min(WARMING_TOKENS, job.maxTokens);
  for await (const _ of runner.run({ ...job, decoding: ONE_AT_A_TIME, maxTokens }, signal)) signal.throwIfAborted();
}

/** @returns draws the column as it was at a time, which only grows */
function player({ lane, recording }: Racer, maxTokens: number): (ms: number) => void {
  let next = 0;
  lane.begin(maxTokens);
  return (ms) => {
    for (; recording.events[next] && recording.events[next]!.ms <= ms; next++)
      lane.apply(recording.events[next]!.event);
    lane.draw(Math.min(ms, recording.ms));
  };
}

function nextFrame(): Promise<number> {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}
