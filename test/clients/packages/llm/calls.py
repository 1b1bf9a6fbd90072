"""The PyPI package `llm`, as it comes, with its own plugin for OpenAI: the command, and the same models from Python."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import llm
from reporting import Answer, answer, call, given, leave

home = Path(tempfile.mkdtemp(prefix="seedling-llm-"))
os.environ["LLM_USER_PATH"] = str(home)
own = f"model_name: {given.model}\n  api_base: {given.url}/v1\n  api_key_name: seedling"
(home / "extra-openai-models.yaml").write_text(
    f"- model_id: chat\n  {own}\n  supports_tools: true\n"
    f"- model_id: text\n  {own}\n  completion: true\n"
    f"- model_id: other\n  {own.replace(given.model, given.wrong_model)}\n"
)

[message] = given.messages
question: str = message["content"]
limits: dict[str, Any] = {"key": given.key, "max_tokens": given.max_tokens}


def look() -> str:
    """Looks."""
    return ""


def result(text: str, usage: Any, response_json: Any) -> Answer:
    """The package keeps the whole body of an answer, and of a stream what it makes of it."""
    choice = response_json["choices"][0] if "choices" in response_json else response_json
    counted = None if usage.input is None else (usage.input, usage.output, usage.input + usage.output)
    return answer(text, choice.get("finish_reason"), counted)


def ask(model: str, text: str, **options: Any) -> Answer:
    response = llm.get_model(model).prompt(text, **{**limits, **options})
    return result(response.text(), response.usage(), response.response_json)


async def chat_async() -> Answer:
    response = await llm.get_async_model("chat").prompt(question, **limits)
    return result(await response.text(), await response.usage(), response.response_json)


def command(text: str, tokens: int) -> subprocess.Popen[bytes]:
    asked = ["-m", "chat", "--key", given.key, "-o", "max_tokens", str(tokens), text]
    return subprocess.Popen([Path(sys.executable).parent / "llm", *asked], stdout=subprocess.PIPE)


def chat_command() -> Answer:
    printed, _ = command(question, given.max_tokens).communicate()
    return answer(printed.decode().removesuffix("\n"), None, None)


def cancel() -> Answer:
    """As with Ctrl-C."""
    process = command(given.endless_prompt, given.endless_tokens)
    assert process.stdout is not None
    return leave(iter(partial(process.stdout.read, 1), b""), partial(process.send_signal, signal.SIGINT))


call("complete", lambda: ask("text", given.prompt, stream=False))
call("complete, streamed", lambda: ask("text", given.prompt))
call("chat", lambda: ask("chat", question, stream=False))
call("chat, streamed", lambda: ask("chat", question))
call("chat, async", lambda: asyncio.run(chat_async()))
call("chat, command", chat_command)
call("cancel", cancel)
call("wrong key", lambda: ask("chat", question, key=given.wrong_key))
call("wrong model", lambda: ask("other", question))
call("wrong field", lambda: ask("chat", question, temperature=given.wrong_temperature))
call("tools", lambda: ask("chat", question, tools=[look]))
call("large body", lambda: ask("text", given.large_prompt))
call("long prompt", lambda: ask("chat", given.long_prompt))
