import type { Advanced, DiffusionModel, KvCache, SequenceForward } from '../../model/model.ts';

/** What the other requests of the last forward had in it. */
export interface Load {
  /** Positions. */
  readonly rows: number;
  /** Tokens that came of it at least: one for a request that decodes, and what the positions of a prompt are worth. */
  readonly tokens: number;
}

/** One request's way to the model. It has one forward under way at most. */
export interface Lane {
  readonly model: Pick<DiffusionModel, 'config' | 'maxForward'>;
  readonly cache: KvCache;
  readonly load: Load;
  /**
   * Runs clean tokens and the block after them, in one forward or in several, with other requests' or alone. The answer is
   * always that of a lone forward. Takes a macrotask at least, and frees the thread between forwards.
   * @throws the signal's reason on abort, with nothing run since; whatever the model throws
   */
  forward(work: Omit<SequenceForward, 'cache'>, signal: AbortSignal): Promise<Advanced>;
  /** Says that the request lives, where it asks for no forward for long: its client reads slowly. */
  see(): void;
  /** Stops its forwards, until it is called with false. Its memory may be given to others. */
  pause(paused: boolean): void;
  /** The request has ended. Nobody waits for it any more. */
  leave(): void;
}
