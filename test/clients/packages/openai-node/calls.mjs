/** The npm package `openai`, as it comes. */
import OpenAI from 'openai';
import { answer, call, given, leave } from '../reporting.mjs';

const settings = { baseURL: `${given.url}/v1`, apiKey: given.key, maxRetries: 0 };
const client = new OpenAI(settings);
const { completions } = client;
const chats = client.chat.completions;
const text = { model: given.model, prompt: given.prompt, max_tokens: given.max_tokens };
const hole = { ...text, suffix: given.suffix };
const chat = { model: given.model, messages: given.messages, max_tokens: given.max_tokens };
const counted = { include_usage: true };
const streamed = { stream: true, stream_options: counted };

function tokens(usage) {
  return usage ? [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens] : null;
}

/** Of a completion or a chat. */
function whole({ choices: [choice], usage }) {
  return answer(choice.message?.content ?? choice.text, choice.finish_reason, tokens(usage));
}

async function putTogether(chunks) {
  let [content, finish, counts] = ['', null, null];
  for await (const { choices, usage } of chunks) {
    for (const choice of choices) {
      content += (choice.delta ? choice.delta.content : choice.text) ?? '';
      finish = choice.finish_reason ?? finish;
    }
    counts = usage ?? counts;
  }
  return answer(content, finish, tokens(counts));
}

await call('models', async () => {
  const listed = await client.models.list();
  const one = await client.models.retrieve(given.model);
  return { models: listed.data.map(({ id }) => id), one: one.id };
});
await call('complete', async () => whole(await completions.create(text)));
await call('complete, streamed', async () => putTogether(await completions.create({ ...text, ...streamed })));
await call('infill', async () => whole(await completions.create(hole)));
await call('infill, streamed', async () => putTogether(await completions.create({ ...hole, ...streamed })));
await call('chat', async () => whole(await chats.create(chat)));
// The helper puts the message together itself, and throws where chunks do not allow it.
await call('chat, streamed', async () =>
  whole(await chats.stream({ ...chat, stream_options: counted }).finalChatCompletion()),
);
await call('more fields', async () => {
  const body = { ...chat, ...given.more_fields, ...given.unknown_fields };
  const { data, response } = await chats.create(body).withResponse();
  return { ...whole(data), ignored: response.headers.get('x-seedling-ignored') };
});
await call('continue', async () =>
  whole(await chats.create({ ...chat, messages: given.begun_messages, ...given.continued })),
);
await call('cancel', async () =>
  leave(
    await completions.create({
      ...text,
      prompt: given.endless_prompt,
      max_tokens: given.endless_tokens,
      stream: true,
    }),
  ),
);
await call('wrong key', async () =>
  whole(await new OpenAI({ ...settings, apiKey: given.wrong_key }).chat.completions.create(chat)),
);
await call('wrong model', async () => whole(await chats.create({ ...chat, model: given.wrong_model })));
await call('wrong field', async () => whole(await chats.create({ ...chat, temperature: given.wrong_temperature })));
await call('tools', async () => whole(await chats.create({ ...chat, tools: given.tools })));
await call('large body', async () => whole(await completions.create({ ...text, prompt: given.large_prompt })));
await call('long prompt', async () => whole(await completions.create({ ...text, prompt: given.long_prompt })));
await call('embeddings', async () => {
  const { data } = await client.embeddings.create({ model: given.model, input: given.prompt });
  return { embeddings: data.length };
});
