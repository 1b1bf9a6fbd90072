"""One completion from the Node host, as a user of the engine gets it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

from recipe.errors import RecipeError
from recipe.paths import REPOSITORY_ROOT

NODE = REPOSITORY_ROOT / "node_modules" / "node" / "bin" / "node"
"""The pinned Node that npm's scripts run on."""

KERNELS = REPOSITORY_ROOT / "build" / "kernels-relaxed.wasm"
ADDRESS = re.compile(r"http://[\w.:]+")
SECONDS = 120
"""Longest wait for an answer."""


def require_node() -> None:
    """Raises RecipeError if conversion and host cannot run: before minutes are spent on training."""
    if not NODE.exists() or shutil.which("npm") is None:
        raise RecipeError("conversion and host run on Node: npm ci in the repository's root first")


def complete(models: Path, name: str, prompt: str, tokens: int = 24) -> str:
    """The text that models/NAME writes after a prompt. Starts the Node host at a free port and ends it.

    Raises RecipeError if the host does not start.
    """
    if not KERNELS.exists():
        subprocess.run([str(NODE), "scripts/build-kernels.ts"], cwd=REPOSITORY_ROOT, check=True)
    environment = os.environ | {"MODELS_DIR": str(models), "MODEL": name, "PORT": "0", "MEMORY_BUDGET_MIB": "512"}
    command = [str(NODE), "src/hosts/node/main.ts"]
    print(f"\n$ MODELS_DIR={models} MODEL={name} PORT=0 MEMORY_BUDGET_MIB=512 node src/hosts/node/main.ts", flush=True)
    with subprocess.Popen(command, cwd=REPOSITORY_ROOT, env=environment, stdout=subprocess.PIPE, text=True) as host:
        try:
            assert host.stdout is not None
            line = host.stdout.readline()
            address = ADDRESS.search(line)
            if address is None:
                raise RecipeError(f"the Node host did not start: {line.strip() or 'it said nothing'}")
            body = {"model": name, "prompt": prompt, "max_tokens": tokens, "temperature": 0}
            url = f"{address.group()}/v1/completions"
            print(f"$ curl {url} -H 'content-type: application/json' -d '{json.dumps(body)}'", flush=True)
            request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                completion = json.load(answer)
        finally:
            host.terminate()
    text = completion["choices"][0]["text"]
    assert isinstance(text, str)
    return text
