/** How the page offers each policy: a name, a sentence, and a slider for its one parameter. */
import { type PolicyName, policyDefaults } from '../../sampler/policies/index.ts';

interface ParameterSlider {
  /** Name of the parameter in the API. */
  readonly name: string;
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly value: number;
  /** Start value if drafts are verified. Absent: `value`. */
  readonly verifiedValue?: number;
}

export interface PolicyChoice {
  readonly label: string;
  readonly note: string;
  readonly slider: ParameterSlider;
}

/** The API's default is one position a step. The slider starts lower, where a block takes several positions a step. */
const steps: ParameterSlider = { name: 'steps', label: 'Steps per block', min: 1, max: 32, step: 1, value: 8 };

export const POLICIES: Readonly<Record<PolicyName, PolicyChoice>> = {
  confidence: {
    label: 'Confidence',
    note: 'Decides every position that is more probable than the threshold.',
    slider: {
      name: 'threshold',
      label: 'Threshold',
      min: 0,
      max: 1,
      step: 0.01,
      value: policyDefaults('confidence', false).threshold,
      verifiedValue: policyDefaults('confidence', true).threshold,
    },
  },
  factor: {
    label: 'Factor',
    note: 'Decides the n most probable positions while (n + 1)(1 − p) stays below the factor.',
    slider: {
      name: 'factor',
      label: 'Factor',
      min: 0.05,
      max: 4,
      step: 0.05,
      value: policyDefaults('factor', false).factor,
    },
  },
  frechet: {
    label: 'Fréchet bounds',
    note: 'Decides as many as are provably most probable together, by the margin delta.',
    slider: {
      name: 'delta',
      label: 'Delta',
      min: 0,
      max: 0.95,
      step: 0.05,
      value: policyDefaults('frechet', false).delta,
    },
  },
  entropy_bound: {
    label: 'Entropy bound',
    note: 'Decides the positions of lowest entropy until their sum passes gamma.',
    slider: {
      name: 'gamma',
      label: 'Gamma, nats',
      min: 0,
      max: 4,
      step: 0.05,
      value: policyDefaults('entropy_bound', false).gamma,
    },
  },
  fixed: {
    label: 'Fixed steps',
    note: 'Decides the most probable positions, the same number in each step.',
    slider: steps,
  },
  random: {
    label: 'Random order',
    note: 'Decides positions in an order drawn from the seed: a baseline.',
    slider: steps,
  },
  left_to_right: {
    label: 'Left to right',
    note: 'Decides positions in reading order: a baseline.',
    slider: steps,
  },
};
