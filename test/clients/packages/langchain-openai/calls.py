"""The PyPI package `langchain-openai`, as it comes: `ChatOpenAI`, `OpenAI` and `OpenAIEmbeddings`."""

import asyncio
from collections.abc import Iterable
from typing import Any

from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from reporting import Answer, answer, call, given, leave

settings: dict[str, Any] = {
    "model": given.model,
    "base_url": f"{given.url}/v1",
    "api_key": given.key,
    "max_retries": 0,
    "max_tokens": given.max_tokens,
}
chat = ChatOpenAI(**settings, stream_usage=True)
# `OpenAI` has a temperature of its own, 0.7.
texts: dict[str, Any] = {**settings, "temperature": 0}
streamed: dict[str, Any] = {"streaming": True}
counts: dict[str, Any] = {"stream_options": {"include_usage": True}}
suffix: dict[str, Any] = {"suffix": given.suffix}
text = OpenAI(**texts)


def message(made: Any) -> Answer:
    usage = made.usage_metadata
    counted = usage and (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"])
    return answer(made.content, made.response_metadata.get("finish_reason"), counted)


def put_together(chunks: Iterable[Any]) -> Answer:
    first, *others = chunks
    # Chunks are added up by the package.
    return message(sum(others, start=first))


def completion(model: OpenAI, prompt: str = given.prompt) -> Answer:
    made = model.generate([prompt])
    usage = (made.llm_output or {}).get("token_usage")
    counted = (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) if usage else None
    [[generation]] = made.generations
    return answer(generation.text, (generation.generation_info or {}).get("finish_reason"), counted)


def more_fields() -> Answer:
    known = dict(given.more_fields)
    # The only one without a parameter of its own.
    others = {"user": known.pop("user")}
    model = ChatOpenAI(**{**settings, **known}, model_kwargs=others, extra_body=given.unknown_fields, include_response_headers=True)
    made = model.invoke(given.messages)
    return {**message(made), "ignored": made.response_metadata["headers"].get("x-seedling-ignored")}


async def chat_async() -> Answer:
    return put_together([chunk async for chunk in chat.astream(given.messages)])


def cancel() -> Answer:
    stream = ChatOpenAI(**{**settings, "max_tokens": given.endless_tokens}).stream(given.endless_prompt)
    return leave(stream, stream.close)


def embeddings() -> Answer:
    # Its count of tokens would ask another host for a vocabulary.
    own = {key: settings[key] for key in ("model", "base_url", "api_key", "max_retries")}
    return {"embeddings": len(OpenAIEmbeddings(**own, check_embedding_ctx_length=False).embed_query(given.prompt))}


call("complete", lambda: completion(text))
call("complete, streamed", lambda: completion(OpenAI(**texts, **streamed, model_kwargs=counts)))
call("infill", lambda: completion(OpenAI(**texts, model_kwargs=suffix)))
call("infill, streamed", lambda: completion(OpenAI(**texts, **streamed, model_kwargs={**suffix, **counts})))
call("chat", lambda: message(chat.invoke(given.messages)))
call("chat, streamed", lambda: put_together(chat.stream(given.messages)))
call("chat, async", lambda: asyncio.run(chat_async()))
call("more fields", more_fields)
call("continue", lambda: message(ChatOpenAI(**settings, extra_body=given.continued).invoke(given.begun_messages)))
call("cancel", cancel)
call("wrong key", lambda: message(ChatOpenAI(**{**settings, "api_key": given.wrong_key}).invoke(given.messages)))
call("wrong model", lambda: message(ChatOpenAI(**{**settings, "model": given.wrong_model}).invoke(given.messages)))
call("wrong field", lambda: message(ChatOpenAI(**settings, temperature=given.wrong_temperature).invoke(given.messages)))
call("tools", lambda: message(chat.bind_tools(given.tools).invoke(given.messages)))
call("large body", lambda: completion(text, given.large_prompt))
call("long prompt", lambda: message(chat.invoke(given.long_prompt)))

call("embeddings", embeddings)
