/** What a client's program is given on its standard input, and how it reports each call: one line of JSON. */
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

export const given = await json(process.stdin);

/** Makes one call and prints what came of it. An error is a result too: some calls are there for theirs. */
export async function call(name, make) {
  const result = await make().catch((error) => ({
    raised: error.constructor.name,
    status: error.status ?? error.statusCode ?? null,
    message: error.message,
  }));
  console.log(JSON.stringify({ call: name, ...result }));
}

/** @param usage the tokens of prompt, completion and both */
export function answer(text, finish, usage) {
  return { text, finish, usage };
}

/** What all requests together hold of the server's KV pool. */
async function heldTokens() {
  const { kv_tokens } = await (await fetch(`${given.url}/health`)).json();
  return kv_tokens.total - kv_tokens.free;
}

/** Takes one piece of a stream, goes away by leaving the loop, and waits for its room to be free again. */
export async function leave(stream) {
  let held = 0;
  for await (const _ of stream) {
    held = await heldTokens();
    break;
  }
  const until = performance.now() + given.patience_seconds * 1000;
  while ((await heldTokens()) > 0 && performance.now() < until) await delay(20);
  return { held, still_held: await heldTokens() };
}
