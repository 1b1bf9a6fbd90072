import type { DiffusionModel, KvCache } from '../../../src/model/model.ts';
import { nextMacrotask } from '../../../src/sampler/macrotask.ts';
import type { Lane } from '../../../src/sampler/scheduling/lane.ts';
import { Scheduler } from '../../../src/sampler/scheduling/scheduler.ts';

/** The way to the model of a request that has it to itself. */
export function loneLane(model: DiffusionModel, cache: KvCache): Lane {
  return new Scheduler(model).join({ cache, client: '', macrotask: nextMacrotask });
}
