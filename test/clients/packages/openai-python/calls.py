"""The PyPI package `openai`, as it comes."""

import asyncio
from collections.abc import Iterable
from typing import Any

from openai import AsyncOpenAI, OpenAI
from reporting import Answer, answer, call, given, leave

settings: dict[str, Any] = {"base_url": f"{given.url}/v1", "api_key": given.key, "max_retries": 0}
client = OpenAI(**settings)
completions, chats = client.completions, client.chat.completions
text: dict[str, Any] = {"model": given.model, "prompt": given.prompt, "max_tokens": given.max_tokens}
hole: dict[str, Any] = {**text, "suffix": given.suffix}
chat: dict[str, Any] = {"model": given.model, "messages": given.messages, "max_tokens": given.max_tokens}
streamed: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


def counted(usage: Any) -> tuple[int, int, int] | None:
    return usage and (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)


def whole(made: Any) -> Answer:
    """Of a completion or a chat."""
    [choice] = made.choices
    content = choice.message.content if hasattr(choice, "message") else choice.text
    return answer(content, choice.finish_reason, counted(made.usage))


def put_together(chunks: Iterable[Any]) -> Answer:
    content, finish, usage = "", None, None
    for chunk in chunks:
        for choice in chunk.choices:
            content += (choice.delta.content if hasattr(choice, "delta") else choice.text) or ""
            finish = choice.finish_reason or finish
        usage = chunk.usage or usage
    return answer(content, finish, counted(usage))


def models() -> Answer:
    return {"models": [model.id for model in client.models.list()], "one": client.models.retrieve(given.model).id}


def chat_streamed() -> Answer:
    # The helper puts the message together itself, and raises where chunks do not allow it.
    with chats.stream(**chat, stream_options={"include_usage": True}) as stream:
        return whole(stream.get_final_completion())


def more_fields() -> Answer:
    raw = chats.with_raw_response.create(**{**chat, **given.more_fields}, extra_body=given.unknown_fields)
    return {**whole(raw.parse()), "ignored": raw.headers.get("x-seedling-ignored")}


async def chat_async() -> Answer:
    async with AsyncOpenAI(**settings) as own:
        chunks = await own.chat.completions.create(**chat, **streamed)
        return put_together([chunk async for chunk in chunks])


def cancel() -> Answer:
    endless = {**text, "prompt": given.endless_prompt, "max_tokens": given.endless_tokens}
    stream = completions.create(**endless, stream=True)
    return leave(iter(stream), stream.close)


call("models", models)
call("complete", lambda: whole(completions.create(**text)))
call("complete, streamed", lambda: put_together(completions.create(**text, **streamed)))
call("infill", lambda: whole(completions.create(**hole)))
call("infill, streamed", lambda: put_together(completions.create(**hole, **streamed)))
call("chat", lambda: whole(chats.create(**chat)))
call("chat, streamed", chat_streamed)
call("chat, async", lambda: asyncio.run(chat_async()))
call("more fields", more_fields)
call("continue", lambda: whole(chats.create(**{**chat, "messages": given.begun_messages}, extra_body=given.continued)))
call("cancel", cancel)
call("wrong key", lambda: whole(OpenAI(**{**settings, "api_key": given.wrong_key}).chat.completions.create(**chat)))
call("wrong model", lambda: whole(chats.create(**{**chat, "model": given.wrong_model})))
call("wrong field", lambda: whole(chats.create(**chat, temperature=given.wrong_temperature)))
call("tools", lambda: whole(chats.create(**chat, tools=given.tools)))
call("large body", lambda: whole(completions.create(**{**text, "prompt": given.large_prompt})))
call("long prompt", lambda: whole(completions.create(**{**text, "prompt": given.long_prompt})))
call("embeddings", lambda: {"embeddings": len(client.embeddings.create(model=given.model, input=given.prompt).data)})
