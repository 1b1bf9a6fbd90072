import { confidence } from './confidence.ts';
import { fixed } from './fixed.ts';
import type { Policy } from './policy.ts';

export type { BlockProgress, Policy } from './policy.ts';

/** What a request says about its policy; each policy reads the fields that concern it. */
export interface PolicySettings {
  readonly policy: PolicyName;
  readonly threshold: number;
  readonly steps: number;
}

const policies = {
  confidence: ({ threshold }: Omit<PolicySettings, 'policy'>) => confidence(threshold),
  fixed: ({ steps }: Omit<PolicySettings, 'policy'>) => fixed(steps),
};

export type PolicyName = keyof typeof policies;

export const policyNames = Object.keys(policies) as readonly PolicyName[];

export function createPolicy(settings: PolicySettings): Policy {
  return policies[settings.policy](settings);
}
