/** Fills what a request leaves open about its decoding, by the model: for the API, and for pages that run the model. */
import { type ModelConfig, predictsNext } from '../model/config.ts';
import type { GivenParameters, PolicyName, PolicySettings } from '../sampler/policies/index.ts';
import { MOST_STEPS } from '../sampler/policies/schedule.ts';
import { DEFAULTS } from './defaults.ts';
import { type Decoding, resolvePolicy } from './request.ts';

/** Undefined: not said. */
export interface GivenDecoding {
  readonly policy: PolicyName | undefined;
  readonly parameters: GivenParameters;
  readonly blockLength: number | undefined;
  readonly verify: boolean;
}

/** Whether drafts are checked where a request does not say so. */
export function verifiesByDefault(config: ModelConfig): boolean {
  return predictsNext(config);
}

/** The block length that the model was trained to decide at once. */
export function ownBlockLength({ subBlockLength, blockLength }: ModelConfig): number {
  return subBlockLength ?? blockLength;
}

/** Without a block length, verified drafts are as many as pay on this host. */
export function fillDecoding(
  { policy, parameters, blockLength: given, verify }: GivenDecoding,
  config: ModelConfig,
): PolicySettings & Pick<Decoding, 'blockLength' | 'verify'> {
  const blockLength = given ?? (verify ? null : ownBlockLength(config));
  const trained = verify ? null : config.decoding;
  // Parameters without a policy are those of the default one.
  const spoken = Object.values(parameters).some((value) => value !== undefined);
  const chosen = policy ?? (spoken ? DEFAULTS.policy : (trained?.policy ?? DEFAULTS.policy));
  const defaults = { ...oneAStep(blockLength), ...(trained?.policy === chosen ? ownParameters(trained) : {}) };
  return { ...resolvePolicy(chosen, { ...defaults, ...parameters }, verify), blockLength, verify };
}

/** A whole canvas can be longer than the steps that a policy takes by default. */
function oneAStep(blockLength: number | null): { readonly steps?: number } {
  return blockLength !== null && blockLength > MOST_STEPS ? { steps: blockLength } : {};
}

/** Without a number of steps it is one position a step. */
function ownParameters(trained: NonNullable<ModelConfig['decoding']>) {
  if (trained.policy === 'confidence') return { threshold: trained.threshold, inclusive: trained.inclusive };
  const { schedule, ranking, steps } = trained;
  return { schedule, ranking, ...(steps === null ? {} : { steps }) };
}
