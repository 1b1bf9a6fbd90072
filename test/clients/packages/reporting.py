"""What a client's program is given on its standard input, and how it reports each call: one line of JSON."""

import json
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

given = SimpleNamespace(**json.load(sys.stdin))

Answer = dict[str, Any]


def call(name: str, make: Callable[[], Answer]) -> None:
    """Makes one call and prints what came of it. An error is a result too: some calls are there for theirs."""
    try:
        result = make()
    except Exception as error:
        status = getattr(error, "status_code", None)
        result = {"raised": type(error).__name__, "status": status, "message": str(error)}
    print(json.dumps({"call": name, **result}), flush=True)


def answer(text: str, finish: str | None, usage: tuple[int, int, int] | None) -> Answer:
    """`usage` has the tokens of prompt, completion and both."""
    return {"text": text, "finish": finish, "usage": usage}


def held_tokens() -> int:
    """What all requests together hold of the server's KV pool."""
    with urllib.request.urlopen(f"{given.url}/health") as response:
        pool = json.load(response)["kv_tokens"]
    return int(pool["total"] - pool["free"])


def leave(pieces: Iterator[Any], close: Callable[[], object]) -> Answer:
    """Takes one piece of a stream, goes away, and waits for its room to be free again."""
    next(pieces)
    held = held_tokens()
    close()
    start = time.monotonic()
    while held_tokens() > 0 and time.monotonic() - start < given.patience_seconds:
        time.sleep(0.02)
    return {"held": held, "still_held": held_tokens()}
