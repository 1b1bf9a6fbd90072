"""python -m recipe quick: goes the whole way on a small corpus in about ten minutes, to a completion that the Node host serves.

The steps are the recipe's own commands; each is printed as it could be typed. Everything is written to the folder quick/ of the
cache. The model has the size of the shipped one and a few minutes of training, so its text is poor: what is shown is the way.

--smallest takes less than a minute on two cores and needs no network: its corpus is this repository, its base a tiny random model.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import time
from dataclasses import asdict
from pathlib import Path

from recipe.commands import run_command
from recipe.data.corpus import PACKAGES
from recipe.data.fetch import Package, read_packages
from recipe.paths import REPOSITORY_ROOT, cache_dir
from recipe.quick.serve import complete, require_node
from recipe.quick.tiny import REPOSITORY, write_tiny_base

TRAINED_ON = ("date-fns", "jinja2", "@noble/curves")
"""Packages of packages.json with 0.5M tokens in TypeScript, JavaScript and Python."""

NAME = "quick"
PROMPT = "def add(a, b):\n"


def step(command: str, *arguments: str | Path) -> None:
    """Runs one command of the recipe and prints it and the time that it took."""
    given = [str(argument) for argument in arguments]
    print(f"\n$ python -m recipe {shlex.join([command, *given])}", flush=True)
    started = time.monotonic()
    run_command(command, given)
    print(f"{command}: {time.monotonic() - started:.0f} s", flush=True)


def convert(export: Path, models: Path) -> None:
    """`npm run convert`: the export becomes models/NAME for the engine."""
    command = ["npm", "run", "--silent", "convert", "--", str(export), NAME, "--out", str(models)]
    print(f"\n$ {shlex.join(command)}", flush=True)
    subprocess.run(command, cwd=REPOSITORY_ROOT, check=True)


def write_list(folder: Path, packages: list[Package]) -> Path:
    """A list of packages for `corpus --packages`."""
    path = folder / "packages.json"
    path.write_text(json.dumps([asdict(package) for package in packages], indent=1) + "\n")
    return path


def share_base(cache: Path, quick: Path) -> None:
    """Links the folder of the base into the quick cache, so that its weights are downloaded once for both."""
    (cache / "base").mkdir(exist_ok=True)
    if not (quick / "base").exists():
        (quick / "base").symlink_to(cache / "base")


def go(quick: Path, smallest: bool, minutes: float, threads: int) -> str:
    """All steps; returns the text that the served model wrote after PROMPT."""
    if smallest:
        listed = list(REPOSITORY)
        base = ["--init-model", str(write_tiny_base(quick / "tiny-base"))]
        size = ["--tokens", "4096", "--minutes", "5", "--batch", "2", "--length", "128", "--eval-sequences", "0"]
        sequences, texts, steps = "2", "2", "2"
    else:
        listed = [package for package in read_packages(PACKAGES) if package.split == "heldout" or package.name in TRAINED_ON]
        base, size = [], ["--minutes", str(minutes), "--batch", "2", "--eval-sequences", "0"]
        sequences, texts, steps = "4", "8", "8"
    model = ["--model", base[1]] if base else []
    cores = ["--threads", str(threads)]
    measured = ["--sequences", sequences, "--repair-sequences", "0", "--holes", "0", *cores]
    few = ["--held-out", "2"]
    export, parent, adapter = quick / "export", quick / "parent", quick / "runs" / NAME / "adapter.safetensors"
    step("corpus", "--packages", write_list(quick, listed), "--no-decontamination")
    step("train", "--run", NAME, *base, *size, *cores)
    step("evaluate", "--adapter", adapter, *model, *measured)
    step("export", "--adapter", adapter, *model, "--out", export)
    step("export", "--adapter", adapter, *model, "--out", parent)
    step("gptq", "--model", export, "--texts", texts, *cores)
    step("distil-int4", "--model", export, "--parent", parent, "--steps", steps, "--batch", "1", "--run", f"{NAME}-int4", *few, *cores)
    step("evaluate", "--model", export, "--parent", parent, *measured)
    convert(export, quick / "models")
    return complete(quick / "models", NAME, PROMPT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smallest", action="store_true", help="this repository as corpus, a tiny random base, no network")
    parser.add_argument("--minutes", type=float, default=2.5, help="of training, without --smallest")
    parser.add_argument("--threads", type=int, default=2, help="CPU cores to use; 1 where others use them too")
    arguments = parser.parse_args()
    require_node()
    cache = cache_dir()
    quick = cache / "quick" / ("smallest" if arguments.smallest else "small")
    quick.mkdir(parents=True, exist_ok=True)
    share_base(cache, quick)
    started = time.monotonic()
    kept = os.environ.get("SEEDLING_CACHE")
    os.environ["SEEDLING_CACHE"] = str(quick)
    try:
        text = go(quick, arguments.smallest, arguments.minutes, arguments.threads)
    finally:
        if kept is None:
            del os.environ["SEEDLING_CACHE"]
        else:
            os.environ["SEEDLING_CACHE"] = kept
    print(f"\n{PROMPT}{text}\n\nThe whole way took {(time.monotonic() - started) / 60:.1f} minutes. The model: {quick / 'models' / NAME}")
    print(f"To serve it: MODELS_DIR={quick / 'models'} MODEL={NAME} npm start")
