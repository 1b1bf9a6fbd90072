/** The npm package `@mistralai/mistralai`, as it comes. Its completions are those of `/v1/fim/completions`. */
import { Mistral } from '@mistralai/mistralai';
import { answer, call, given, leave } from '../reporting.mjs';

const client = new Mistral({ serverURL: given.url, apiKey: given.key });
const text = { model: given.model, prompt: given.prompt, maxTokens: given.max_tokens };
const hole = { ...text, suffix: given.suffix };
const chat = { model: given.model, messages: given.messages, maxTokens: given.max_tokens };
const prefixed = given.begun_messages.map((message, i) => (i === 0 ? message : { ...message, prefix: true }));

function tokens(usage) {
  return usage ? [usage.promptTokens, usage.completionTokens, usage.totalTokens] : null;
}

function whole({ choices: [choice], usage }) {
  return answer(choice.message.content, choice.finishReason, tokens(usage));
}

async function putTogether(events) {
  let [content, finish, counts] = ['', null, null];
  for await (const { data } of events) {
    for (const { delta, finishReason } of data.choices) {
      content += delta.content ?? '';
      finish = finishReason ?? finish;
    }
    counts = data.usage ?? counts;
  }
  return answer(content, finish, tokens(counts));
}

await call('models', async () => {
  const listed = await client.models.list();
  const one = await client.models.retrieve({ modelId: given.model });
  return { models: listed.data.map(({ id }) => id), one: one.id };
});
await call('complete', async () => whole(await client.fim.complete(text)));
await call('complete, streamed', async () => putTogether(await client.fim.stream(text)));
await call('infill', async () => whole(await client.fim.complete(hole)));
await call('infill, streamed', async () => putTogether(await client.fim.stream(hole)));
await call('chat', async () => whole(await client.chat.complete(chat)));
await call('chat, streamed', async () => putTogether(await client.chat.stream(chat)));
await call('more fields', async () => {
  const { max_tokens, random_seed, metadata, safe_prompt } = given.mistral_fields;
  const more = { maxTokens: max_tokens, randomSeed: random_seed, metadata, safePrompt: safe_prompt };
  return { ...whole(await client.chat.complete({ ...chat, ...more })), ignored: null };
});
await call('continue', async () => whole(await client.chat.complete({ ...chat, messages: prefixed })));
await call('cancel', async () =>
  leave(await client.fim.stream({ ...text, prompt: given.endless_prompt, maxTokens: given.endless_tokens })),
);
await call('wrong key', async () =>
  whole(await new Mistral({ serverURL: given.url, apiKey: given.wrong_key }).chat.complete(chat)),
);
await call('wrong model', async () => whole(await client.chat.complete({ ...chat, model: given.wrong_model })));
await call('wrong field', async () =>
  whole(await client.chat.complete({ ...chat, temperature: given.wrong_temperature })),
);
await call('tools', async () => whole(await client.chat.complete({ ...chat, tools: given.tools })));
await call('large body', async () => whole(await client.fim.complete({ ...text, prompt: given.large_prompt })));
await call('long prompt', async () => whole(await client.fim.complete({ ...text, prompt: given.long_prompt })));
await call('embeddings', async () => {
  const { data } = await client.embeddings.create({ model: given.model, inputs: given.prompt });
  return { embeddings: data.length };
});
