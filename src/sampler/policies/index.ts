/** Every policy that a request can name. A new one is a file and a line here. API, description and types follow. */
import type * as z from 'zod';
import { confidence } from './confidence.ts';
import { entropyBound } from './entropy-bound.ts';
import { factor } from './factor.ts';
import { fixed } from './fixed.ts';
import { frechet } from './frechet.ts';
import { leftToRight } from './left-to-right.ts';
import type { Policy, PolicyDefinition } from './policy.ts';
import { random } from './random.ts';

export type { Policy } from './policy.ts';

const policies = {
  confidence,
  factor,
  frechet,
  entropy_bound: entropyBound,
  fixed,
  random,
  left_to_right: leftToRight,
};

type Policies = typeof policies;
export type PolicyName = keyof Policies;

/** A chosen policy with its parameters, none of another's. */
export type PolicySettings = {
  [Name in PolicyName]: { readonly policy: Name } & Policies[Name]['defaults'];
}[PolicyName];

type Intersection<Union> = (Union extends unknown ? (part: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;

/** Parameters of all policies, by name. */
type Parameters = Intersection<Policies[PolicyName]['parameters']>;
export type ParameterName = keyof Parameters & string;
/** What a request may say about its policy's parameters. */
export type GivenParameters = { readonly [Name in ParameterName]?: z.output<Parameters[Name]> | undefined };

export const policyNames = Object.keys(policies) as [PolicyName, ...PolicyName[]];

function definition(name: PolicyName): PolicyDefinition<z.ZodRawShape> {
  return policies[name] as unknown as PolicyDefinition<z.ZodRawShape>;
}

/** The one sentence about a policy. */
export function policySummary(name: PolicyName): string {
  return definition(name).summary;
}

/** Schemas of all parameters. */
export const policyParameters: Readonly<Parameters> = Object.assign({}, ...policyNames.map(parametersOf));

function parametersOf(name: PolicyName): z.ZodRawShape {
  return definition(name).parameters;
}

/** The policies that read a parameter. */
export function readersOf(parameter: string): PolicyName[] {
  return policyNames.filter((name) => parameter in parametersOf(name));
}

/** A policy's defaults. @param verified decided ids are drafts that a causal forward checks */
export function policyDefaults<Name extends PolicyName>(name: Name, verified: boolean): Policies[Name]['defaults'] {
  const { defaults, verifiedDefaults } = definition(name);
  return { ...defaults, ...(verified ? verifiedDefaults : {}) } as Policies[Name]['defaults'];
}

/**
 * Fills the defaults.
 * @param given valid values; those that the policy does not read are left out
 * @param verified see `policyDefaults`
 */
export function resolvePolicy(name: PolicyName, given: GivenParameters, verified = false): PolicySettings {
  const defaults: Readonly<Record<string, unknown>> = policyDefaults(name, verified);
  const values = Object.keys(defaults).map((key) => [key, given[key as ParameterName] ?? defaults[key]]);
  return { policy: name, ...Object.fromEntries(values) } as PolicySettings;
}

/** @param seed the request's: the order of `random` comes from it */
export function createPolicy(settings: PolicySettings, seed: number): Policy {
  return definition(settings.policy).create(settings, seed);
}
