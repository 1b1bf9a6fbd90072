"""python -m recipe pack: takes a training run to a machine without network and its result back.

    stage OUT      the corpus, the base weights and the code in parts of at most 50 MB, with a script that joins them
    results RUN OUT  the adapter, the log and the settings of a run in parts of at most 16 MB; --state adds what --resume needs
    unpack PARTS TARGET

On the other machine: `python PARTS/unpack.py PARTS HERE && cd HERE/recipe && SEEDLING_CACHE=HERE/cache python -m recipe train ...`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from recipe.data.token_files import MANIFEST, token_path
from recipe.model.gguf_weights import base_gguf
from recipe.paths import RECIPE_ROOT, cache_dir
from recipe.train import unpack

MEGABYTE = 1_000_000
STAGE_LIMIT = 50 * MEGABYTE
RESULT_LIMIT = 16 * MEGABYTE
WHEELS = ("gguf", "safetensors", "tokenizers")
"""What training needs beside torch and numpy, small enough to be carried."""

Item = tuple[Path, str]
"""A file here and its path in the archive."""


class Parts:
    """A write-only file that is split into parts of at most `limit` bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self.parts: list[dict[str, str]] = []
        self.buffer = bytearray()

    def write(self, data: bytes) -> int:
        self.buffer += data
        while len(self.buffer) >= self.limit:
            self._flush(self.limit)
        return len(data)

    def _flush(self, size: int) -> None:
        content = bytes(self.buffer[:size])
        del self.buffer[:size]
        name = f"part-{len(self.parts):03}.bin"
        (self.folder / name).write_bytes(content)
        self.parts.append({"file": name, "sha256": hashlib.sha256(content).hexdigest()})

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            if self.buffer:
                self._flush(len(self.buffer))
            (self.folder / unpack.INDEX).write_text(json.dumps({"parts": self.parts}, indent=2) + "\n")


def write_parts(items: Iterable[Item], folder: Path, limit: int) -> int:
    """Packs files into parts in a folder, which must be empty or absent; returns how many there are."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    with Parts(folder, limit) as parts, tarfile.open(fileobj=parts, mode="w|gz") as archive:  # type: ignore[call-overload]
        for path, name in items:
            archive.add(path, name)
    shutil.copyfile(unpack.__file__, folder / "unpack.py")
    return len(parts.parts)


def code() -> Iterator[Item]:
    """The recipe itself."""
    for name in ("pyproject.toml", "README.md"):
        yield RECIPE_ROOT / name, f"recipe/{name}"
    yield MANIFEST, f"recipe/{MANIFEST.name}"
    for path in sorted((RECIPE_ROOT / "recipe").iterdir()):
        if path.suffix in (".py", ".json"):
            yield path, f"recipe/recipe/{path.name}"


def corpus() -> Iterator[Item]:
    """The token files that the manifest lists."""
    for package in json.loads(MANIFEST.read_text())["packages"]:
        path = token_path(package["name"], package["split"])
        yield path, f"cache/{path.relative_to(cache_dir()).as_posix()}"


def base() -> Iterator[Item]:
    """The base weights and the tokenizer."""
    for path in (base_gguf(), cache_dir() / "base" / "tokenizer.json"):
        yield path, f"cache/base/{path.name}"


def wheels(folder: Path) -> Iterator[Item]:
    """The packages of WHEELS at the versions of pyproject.toml, without what they depend on."""
    listed = tomllib.loads((RECIPE_ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = [line for line in listed if line.split("==")[0] in WHEELS]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(folder), *wanted]
    subprocess.run(command, check=True)
    for path in sorted(folder.glob("*.whl")):
        yield path, f"wheels/{path.name}"


def stage(out: Path, init: Path | None, with_wheels: bool, limit: int = STAGE_LIMIT) -> int:
    """Everything a training run needs; `init` is an adapter to start from, staged as init.safetensors."""
    items = [*code(), *corpus(), *base()]
    if init:
        items.append((init, "init.safetensors"))
    if with_wheels:
        items += wheels(cache_dir() / "wheels")
    return write_parts(items, out, limit)


def results(run: Path, out: Path, state: bool, limit: int = RESULT_LIMIT) -> int:
    """What is worth bringing back of a run's folder."""
    names = ["adapter.safetensors", "log.jsonl", "settings.json"] + (["state.pt"] if state else [])
    return write_parts([(run / name, f"{run.name}/{name}") for name in names], out, limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    staging = commands.add_parser("stage")
    staging.add_argument("out", type=Path)
    staging.add_argument("--init", type=Path, help="adapter to start from")
    staging.add_argument("--wheels", action="store_true", help=f"also {', '.join(WHEELS)} as wheels for a machine like this one")
    returning = commands.add_parser("results")
    returning.add_argument("run", type=Path, help="a run's folder")
    returning.add_argument("out", type=Path)
    returning.add_argument("--state", action="store_true", help="also the optimizer's state")
    joining = commands.add_parser("unpack")
    joining.add_argument("parts", type=Path)
    joining.add_argument("target", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "stage":
        print(stage(arguments.out, arguments.init, arguments.wheels), "parts")
    elif arguments.command == "results":
        print(results(arguments.run, arguments.out, arguments.state), "parts")
    else:
        unpack.unpack(arguments.parts, arguments.target)
