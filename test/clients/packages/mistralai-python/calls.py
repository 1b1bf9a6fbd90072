"""The PyPI package `mistralai`, as it comes. Its completions are those of `/v1/fim/completions`."""

import asyncio
from collections.abc import Iterable
from typing import Any

from mistralai.client import Mistral
from reporting import Answer, answer, call, given, leave

client = Mistral(server_url=given.url, api_key=given.key)
text: dict[str, Any] = {"model": given.model, "prompt": given.prompt, "max_tokens": given.max_tokens}
hole: dict[str, Any] = {**text, "suffix": given.suffix}
chat: dict[str, Any] = {"model": given.model, "messages": given.messages, "max_tokens": given.max_tokens}
*asked, begun = given.begun_messages
prefixed = [*asked, {**begun, "prefix": True}]


def counted(usage: Any) -> tuple[int, int, int] | None:
    return usage and (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)


def whole(made: Any) -> Answer:
    [choice] = made.choices
    return answer(choice.message.content, choice.finish_reason, counted(made.usage))


def put_together(events: Iterable[Any]) -> Answer:
    content, finish, usage = "", None, None
    for event in events:
        for choice in event.data.choices:
            content += choice.delta.content or ""
            finish = choice.finish_reason or finish
        usage = event.data.usage or usage
    return answer(content, finish, counted(usage))


def models() -> Answer:
    return {"models": [model.id for model in client.models.list().data], "one": client.models.retrieve(model_id=given.model).id}


async def chat_async() -> Answer:
    events = await client.chat.stream_async(**chat)
    return put_together([event async for event in events])


def cancel() -> Answer:
    endless = {**text, "prompt": given.endless_prompt, "max_tokens": given.endless_tokens}
    stream = client.fim.stream(**endless)
    return leave(iter(stream), lambda: stream.__exit__(None, None, None))


call("models", models)
call("complete", lambda: whole(client.fim.complete(**text)))
call("complete, streamed", lambda: put_together(client.fim.stream(**text)))
call("infill", lambda: whole(client.fim.complete(**hole)))
call("infill, streamed", lambda: put_together(client.fim.stream(**hole)))
call("chat", lambda: whole(client.chat.complete(**chat)))
call("chat, streamed", lambda: put_together(client.chat.stream(**chat)))
call("chat, async", lambda: asyncio.run(chat_async()))
call("more fields", lambda: {**whole(client.chat.complete(**{**chat, **given.mistral_fields})), "ignored": None})
call("continue", lambda: whole(client.chat.complete(**{**chat, "messages": prefixed})))
call("cancel", cancel)
call("wrong key", lambda: whole(Mistral(server_url=given.url, api_key=given.wrong_key).chat.complete(**chat)))
call("wrong model", lambda: whole(client.chat.complete(**{**chat, "model": given.wrong_model})))
call("wrong field", lambda: whole(client.chat.complete(**chat, temperature=given.wrong_temperature)))
call("tools", lambda: whole(client.chat.complete(**chat, tools=given.tools)))
call("large body", lambda: whole(client.fim.complete(**{**text, "prompt": given.large_prompt})))
call("long prompt", lambda: whole(client.fim.complete(**{**text, "prompt": given.long_prompt})))
call("embeddings", lambda: {"embeddings": len(client.embeddings.create(model=given.model, inputs=given.prompt).data)})
