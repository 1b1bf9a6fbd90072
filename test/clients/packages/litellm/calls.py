"""The PyPI package `litellm`, as it comes: its providers `openai`, `text-completion-openai` and `text-completion-codestral`."""

import asyncio
import os
from collections.abc import Iterable
from typing import Any

# Otherwise the package asks its own host for prices when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from reporting import Answer, answer, call, given, leave

litellm.suppress_debug_info = True
address: dict[str, Any] = {"api_base": f"{given.url}/v1", "api_key": given.key, "max_retries": 0}
text: dict[str, Any] = {
    **address,
    "model": f"text-completion-openai/{given.model}",
    "prompt": given.prompt,
    "max_tokens": given.max_tokens,
}
hole: dict[str, Any] = {**text, "suffix": given.suffix}
codestral: dict[str, Any] = {
    **hole,
    "model": f"text-completion-codestral/{given.model}",
    "api_base": f"{given.url}/v1/fim/completions",
}
chat: dict[str, Any] = {**address, "model": f"openai/{given.model}", "messages": given.messages, "max_tokens": given.max_tokens}
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
        usage = getattr(chunk, "usage", None) or usage
    return answer(content, finish, counted(usage))


def models() -> Answer:
    listed = litellm.get_valid_models(check_provider_endpoint=True, custom_llm_provider="openai", api_base=given.url, api_key=given.key)
    return {"models": listed, "one": None}


def more_fields() -> Answer:
    # Of a model that it does not know the package refuses some fields, unless it is told to send them.
    sent = list(given.more_fields)
    made = litellm.completion(**{**chat, **given.more_fields}, allowed_openai_params=sent, extra_body=given.unknown_fields)
    return {**whole(made), "ignored": made._hidden_params["additional_headers"].get("llm_provider-x-seedling-ignored")}


async def chat_async() -> Answer:
    chunks = await litellm.acompletion(**chat, **streamed)
    return put_together([chunk async for chunk in chunks])


def cancel() -> Answer:
    endless = {**chat, "messages": [{"role": "user", "content": given.endless_prompt}], "max_tokens": given.endless_tokens}
    stream = litellm.completion(**endless, stream=True)
    return leave(stream, stream.completion_stream.close)


call("models", models)
call("complete", lambda: whole(litellm.text_completion(**text)))
call("complete, streamed", lambda: put_together(litellm.text_completion(**text, **streamed)))
call("infill", lambda: whole(litellm.text_completion(**hole)))
call("infill, streamed", lambda: put_together(litellm.text_completion(**hole, **streamed)))
call("infill, codestral", lambda: whole(litellm.text_completion(**codestral)))
call("infill, codestral, streamed", lambda: put_together(litellm.text_completion(**codestral, stream=True)))
call("chat", lambda: whole(litellm.completion(**chat)))
call("chat, streamed", lambda: put_together(litellm.completion(**chat, **streamed)))
call("chat, async", lambda: asyncio.run(chat_async()))
call("more fields", more_fields)
call("continue", lambda: whole(litellm.completion(**{**chat, "messages": given.begun_messages}, extra_body=given.continued)))
call("cancel", cancel)
call("wrong key", lambda: whole(litellm.completion(**{**chat, "api_key": given.wrong_key})))
call("wrong model", lambda: whole(litellm.completion(**{**chat, "model": f"openai/{given.wrong_model}"})))
call("wrong field", lambda: whole(litellm.completion(**chat, temperature=given.wrong_temperature)))
call("tools", lambda: whole(litellm.completion(**chat, tools=given.tools)))
call("large body", lambda: whole(litellm.text_completion(**{**text, "prompt": given.large_prompt})))
call("long prompt", lambda: whole(litellm.completion(**{**chat, "messages": [{"role": "user", "content": given.long_prompt}]})))
call("embeddings", lambda: {"embeddings": len(litellm.embedding(**address, model=f"openai/{given.model}", input=[given.prompt]).data)})
