/** Runs a job through the engine, and turns its events into the page's. */
import { fillDecoding, verifiesByDefault } from '../../engine/decoding.ts';
import { DEFAULTS } from '../../engine/defaults.ts';
import { DEFAULT_EDITING, type EditDoneEvent } from '../../engine/editing/edit-request.ts';
import type { Engine } from '../../engine/engine.ts';
import type { GenerateRequest } from '../../engine/request.ts';
import type { ModelConfig } from '../../model/config.ts';
import type { CompleteJob, Job, RepairJob } from '../shared/job.ts';
import type { RunEvent, StepToken } from '../shared/run-event.ts';

/** @throws what `Engine.admit` throws, and the signal's reason */
export function runJob(engine: Engine, job: Job, signal: AbortSignal): AsyncGenerator<RunEvent, void, void> {
  return job.kind === 'repair' ? repair(engine, job, signal) : complete(engine, job, signal);
}

function request({ decoding, ...job }: CompleteJob, config: ModelConfig): GenerateRequest {
  const { policy, parameters, blockLength, verify } = decoding;
  const given = {
    policy: policy ?? undefined,
    parameters,
    blockLength: blockLength ?? undefined,
    verify: verify ?? verifiesByDefault(config),
  };
  return {
    kind: 'generate',
    context: '',
    prompt: job.prompt,
    textKind: 'prompt',
    tokenHealing: DEFAULTS.tokenHealing,
    suffix: job.suffix,
    maxTokens: job.maxTokens,
    temperature: job.temperature,
    topP: DEFAULTS.topP,
    topK: DEFAULTS.topK,
    minP: DEFAULTS.minP,
    seed: job.seed,
    logitRules: null,
    logprobs: null,
    timeLimitMs: null,
    stop: [],
    decoding: { ...fillDecoding(given, config), remasking: null, approximateCache: null },
    cacheKey: '',
  };
}

async function* complete(engine: Engine, job: CompleteJob, signal: AbortSignal): AsyncGenerator<RunEvent, void, void> {
  for await (const event of engine.generate(request(job, engine.model.config), signal)) {
    if (event.type === 'block') yield { type: 'text', text: event.text };
    if (event.type === 'step') {
      const tokens = event.texts.map((text, i): StepToken => {
        const position = event.positions[i]!;
        return { position, text, prob: event.probs[i]!, revised: event.revised.includes(position) };
      });
      yield { type: 'step', tokens, remasked: [...event.remasked] };
    }
    if (event.type === 'done') {
      const { finishReason, usage, cost } = event;
      yield { type: 'done', finishReason, tokens: usage.completionTokens, nfe: cost.nfe, drafts: cost.drafts };
    }
  }
}

async function* repair(engine: Engine, job: RepairJob, signal: AbortSignal): AsyncGenerator<RunEvent, void, void> {
  const { code, instruction, region } = job;
  const request = { kind: 'edit', code, instruction, filename: null, region, settings: DEFAULT_EDITING } as const;
  for await (const event of engine.generate(request, signal)) {
    if (event.type === 'span') {
      const { start, end, causalProb } = event.span;
      yield { type: 'span', start, end, prob: causalProb };
    }
    if ('result' in event) yield edited(event);
  }
}

function edited({ result, cost }: EditDoneEvent): RunEvent {
  const { edits, complete } = result;
  const changes = edits.map(({ start, end, newText, confidence }) => ({ start, end, newText, confidence }));
  return { type: 'edited', changes, nfe: cost.nfe, complete };
}
