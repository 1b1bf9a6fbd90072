"""The record of a run, settings.json: everything that shapes it, so that `python -m recipe train --from RUN` repeats it.

The settings of a command are not all of it. Its constants (noise, edits, rank), its inputs, the corpus, the commit and the versions
of the libraries shape a run too. A run is repeated only where all of these are the same.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recipe.data.token_files import read_record, token_path
from recipe.device import best_device
from recipe.errors import RecipeError
from recipe.model.start import digest
from recipe.paths import RECIPE_ROOT, cache_dir
from recipe.train import processes
from recipe.train.adapter_run import half_precision

MODULES = ("data.edits", "data.infill", "train.noise", "train.objective", "train.sequences", "model.lora", "int4.quantize")
"""Modules whose constants shape a run."""

COMMIT = RECIPE_ROOT / "commit.txt"
"""The commit of a staged copy (python -m recipe pack), which has no git repository."""


def constants() -> dict[str, Any]:
    """Every constant of MODULES that is plain data: "train.noise.SUFFIX_SHARE" -> its value, as JSON gives it back."""
    found = {}
    for module in MODULES:
        for name, value in vars(importlib.import_module(f"recipe.{module}")).items():
            if name.isupper() and isinstance(value, (int, float, str, tuple, list, dict)):
                found[f"{module}.{name}"] = value
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def git(*arguments: str) -> str | None:
    """The output of a git command in the repository, or None without git or a repository."""
    try:
        return subprocess.run(["git", "-C", RECIPE_ROOT, *arguments], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def commit() -> str | None:
    """The commit of the recipe's code; "+changes" is appended if the code differs from it. None if nothing tells."""
    head = git("rev-parse", "HEAD")
    if head is None:
        return COMMIT.read_text().strip() if COMMIT.exists() else None
    return head + ("+changes" if git("status", "--porcelain", "--", "recipe") else "")


def corpus_digest() -> str:
    """SHA-256 of the names and the tokens of all packages of the corpus, in its order."""
    packages = [(p["name"], token_path(p["name"], p["split"])) for p in read_record()["packages"]]
    lines = [f"{name} {digest(path)}\n" for name, path in packages if path.exists()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def describe(command: str, settings: Any, inputs: Mapping[str, Path | None], options: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a run. `settings`: a dataclass; `inputs`: files and folders by flag; `options`: the other flags."""
    device = best_device()
    return {
        "command": command,
        "settings": asdict(settings),
        "options": dict(options),
        "inputs": {name: {"path": str(path.resolve()), "sha256": digest(path)} if path else None for name, path in inputs.items()},
        "corpus": corpus_digest(),
        "constants": constants(),
        "commit": commit(),
        "device": device.type,
        "bfloat16": half_precision(device),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__},
    }


def write(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes settings.json into a run's folder."""
    if processes.rank() > 0:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(record, indent=2) + "\n")


def read(run: str, command: str) -> dict[str, Any]:
    """The record of a run: the name of a folder under runs/ in the cache, or the path of a folder.

    Raises FileNotFoundError if there is none and RecipeError if it cannot be repeated as it was: another command's, or an older one.
    """
    folder = Path(run) if (Path(run) / "settings.json").exists() else cache_dir() / "runs" / run
    if not (folder / "settings.json").exists():
        raise FileNotFoundError(f"{run} is no run: {folder / 'settings.json'} is missing")
    record: dict[str, Any] = json.loads((folder / "settings.json").read_text())
    if record.get("command") != command:
        raise RecipeError(f"{folder} is no run of python -m recipe {command}, or its record is older than --from")
    return record


def check_inputs(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises RecipeError, with the first difference, if a repeated run would have other inputs, corpus or constants than the run before.

    An input that the command line changes on purpose has another path and is not compared.
    """
    for name, old in before["inputs"].items():
        new = now["inputs"][name]
        if old and new and old["path"] == new["path"] and old["sha256"] != new["sha256"]:
            raise RecipeError(f"--{name.replace('_', '-')} {old['path']} has changed since the run")
    if before["corpus"] != now["corpus"]:
        raise RecipeError("the corpus in the cache is another one than the run's")
    for name in sorted(before["constants"].keys() | now["constants"].keys()):
        old, new = before["constants"].get(name), now["constants"].get(name)
        if old != new:
            raise RecipeError(f"recipe.{name} is {new}, and the run had {old}: its code is commit {before['commit']}")
