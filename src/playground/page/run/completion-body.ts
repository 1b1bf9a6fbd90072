/** Turns jobs into bodies of the HTTP API, for the page's requests and for its curl command. */
import type { CompleteJob, Job, JobDecoding, RepairJob } from '../../shared/job.ts';

export interface ApiCall {
  readonly path: string;
  readonly body: object;
}

export function apiCall(job: Job): ApiCall {
  return job.kind === 'repair' ? editCall(job) : completionCall(job);
}

function completionCall({ prompt, suffix, maxTokens, temperature, seed, decoding }: CompleteJob): ApiCall {
  const body = {
    prompt,
    ...(suffix !== null && { suffix }),
    max_tokens: maxTokens,
    temperature,
    seed,
    stream: true,
    stream_options: { include_usage: true },
    diffusing: true,
    ...decodingField(decoding),
  };
  return { path: '/v1/completions', body };
}

/** Only what differs from the API's defaults. */
function decodingField({ policy, parameters, blockLength, verify }: JobDecoding): { readonly decoding?: object } {
  const decoding = {
    ...(policy !== null && { policy }),
    ...parameters,
    ...(blockLength !== null && { block_length: blockLength }),
    ...(verify !== null && { verify }),
  };
  return Object.keys(decoding).length === 0 ? {} : { decoding };
}

function editCall({ code, instruction, region }: RepairJob): ApiCall {
  const body = {
    code,
    ...(instruction !== null && { instruction }),
    ...(region !== null && { region }),
    stream: true,
    diffusing: true,
  };
  return { path: '/v1/edit/completions', body };
}

/** A command for a POSIX shell. It names the variable that holds the key, and never contains the key. */
export function asCurl({ path, body }: ApiCall, origin: string, withKey: boolean): string {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const lines = [
    `curl -N ${quoted(origin + path)}`,
    `-H ${quoted('content-type: application/json')}`,
    ...(withKey ? ['-H "authorization: Bearer $SEEDLING_API_KEY"'] : []),
    `-d ${quoted(JSON.stringify(body))}`,
  ];
  return lines.join(' \\\n  ');
}
