"""python -m recipe gpu-half-hour: gives a model a draft adapter within a set time, own texts and figures included.

The steps are the recipe's own commands; each is printed as it could be typed, and --dry-run prints them alone. The adapter learns on what
the model itself writes, a part of the time goes to that. On a machine without a GPU the same steps run on the CPU, and reach less.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import torch

from recipe.device import best_device
from recipe.paths import REPOSITORY_ROOT, cache_dir
from recipe.quick.quick import step

WRITING, TRAINING = 0.15, 0.7
"""Shares of the time for own texts and for training. The rest is for reading the model and for the figures."""


def plan(model: Path, run: str, minutes: float, batch: int, length: int, texts: int) -> list[list[str]]:
    """The commands in their order, with their arguments."""
    folder = cache_dir() / "runs" / run
    own, ids = folder / "own.jsonl", folder / "own.npy"
    gpu = best_device().type == "cuda"
    writing = ["--batch", "256" if gpu else "32", "--count", str(10**6), "--minutes", f"{WRITING * minutes:.2f}"]
    training = ["--batch", str(batch), "--length", str(length), "--minutes", f"{TRAINING * minutes:.2f}", "--tokens", str(10**9)]
    share = ["--own", str(ids), "--own-share", "0.35", "--branch-first"]
    if gpu:
        training += ["--packed"]
    figures = ["--texts", str(texts), "--phases", str(min(64, length // 4)), "--sequences", "0"]
    return [
        ["continuations", str(own), "--model", str(model), "--prompt-tokens", "64", "--max-tokens", "48", *writing],
        ["own", str(own), "--length", str(length), "--out", str(ids)],
        ["drafts", "--model", str(model), "--run", run, *training, *share],
        ["draft-agreement", "--model", str(model), "--adapters", "none", str(folder / "adapter.safetensors"), *figures],
    ]


def speed(log: Path) -> float:
    """Clean tokens a second of a run, from its second step on: the first one compiles."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    if len(lines) < 2:
        return float(lines[-1]["tokens"] / max(1e-9, lines[-1]["elapsed_s"]))
    first, last = lines[0], lines[-1]
    return float((last["tokens"] - first["tokens"]) / max(1e-9, last["elapsed_s"] - first["elapsed_s"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="the model that verifies, converted (models/NAME) or an export")
    parser.add_argument("--run", default="half-hour", help="name of the folder under runs/ in the cache")
    parser.add_argument("--minutes", type=float, default=30.0, help="of writing, training and figures together")
    parser.add_argument("--batch", type=int, help="texts per optimizer step; 64 on a GPU, 2 on a CPU")
    parser.add_argument("--length", type=int, default=256, help="tokens of a text")
    parser.add_argument("--texts", type=int, default=32, help="held-out texts of the figures")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    arguments = parser.parse_args()
    device = best_device()
    batch = arguments.batch or (64 if device.type == "cuda" else 2)
    commands = plan(arguments.model, arguments.run, arguments.minutes, batch, arguments.length, arguments.texts)
    adapter = cache_dir() / "runs" / arguments.run / "adapter.safetensors"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"
    print(f"On {name}, {arguments.minutes:g} minutes:")
    for command in commands:
        print(f"  python -m recipe {shlex.join(command)}")
    converted = ["npm", "run", "convert", "--", str(arguments.model.resolve()), arguments.run, "--drafts", str(adapter)]
    print(f"Then, in the repository's root: {shlex.join(converted)}")
    if arguments.dry_run:
        return
    adapter.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    for command in commands:
        step(*command)
    tokens = speed(adapter.parent / "log.jsonl")
    print(f"\n{tokens:.0f} tokens/s in training; {(time.monotonic() - started) / 60:.1f} minutes in all. The adapter: {adapter}")
    # A staged copy of the recipe has no converter beside it.
    if (REPOSITORY_ROOT / "package.json").exists() and shutil.which("npm"):
        models = adapter.parent / "models"
        subprocess.run([*converted, "--out", str(models)], cwd=REPOSITORY_ROOT, check=True)
        print(f"The model with its drafts: {models / arguments.run}")
