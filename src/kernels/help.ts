/** The main loop of a helper thread of a `Crew`. */
import type { HelperTask } from './crew.ts';
import { instantiateModule } from './kernels.ts';
import { Pieces } from './pieces.ts';

/** Blocks until the crew is closed. @param ready called when the thread can work */
export function help(
  { module, memory, block, scratch }: HelperTask,
  ready: () => void,
  onError: (error: unknown) => void,
): void {
  const pieces = new Pieces(memory, block, instantiateModule(module, memory), scratch);
  ready();
  pieces.serve(onError);
}
