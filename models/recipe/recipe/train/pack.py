"""python -m recipe pack: takes a training run to a machine without network and its result back.

    stage OUT        code, corpus, base weights and the inputs named by flags, in parts of at most 50 MB, with a script that joins them
    results RUN OUT  adapter, log and settings of a run in parts of at most 16 MB; --state adds the optimizer's state for --resume
    unpack PARTS TARGET

On the other machine: `python PARTS/unpack.py PARTS HERE && cd HERE/recipe && SEEDLING_CACHE=HERE/cache python -m recipe train ...`.
Every command works there but corpus, golden, fixture, families and plot. It needs PyTorch, numpy and the wheels of --wheels.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from recipe.data.token_files import MANIFEST, read_record, token_path
from recipe.data.tokenizer import chat_template, load_tokenizer
from recipe.errors import RecipeError
from recipe.model.gguf_weights import base_gguf
from recipe.paths import RECIPE_ROOT, cache_dir
from recipe.progress import progress
from recipe.train import run_record, unpack

MEGABYTE = 1_000_000
MEBIBYTE = 1 << 20
SMALL = 60
"""Most MiB of a stage without weights: as much as a borrowed machine often takes."""
STAGE_LIMIT = 50 * MEGABYTE
RESULT_LIMIT = 16 * MEGABYTE
WHEELS = ("gguf", "pyyaml", "safetensors", "tokenizers", "tqdm", "tree-sitter", "tree-sitter-javascript", "tree-sitter-typescript")
"""Packages that the recipe needs beside torch and numpy. gguf, which reads the base weights, imports yaml."""

Item = tuple[Path, str]
"""A file here and its path in the archive."""


class Parts:
    """A write-only file, split into parts of at most `limit` bytes."""

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
    """The recipe's code and the committed record of the corpus."""
    for name in ("pyproject.toml", "README.md", "GPU.md"):
        yield RECIPE_ROOT / name, f"recipe/{name}"
    yield MANIFEST, f"recipe/{MANIFEST.name}"
    for path in sorted((RECIPE_ROOT / "recipe").rglob("*")):
        if path.suffix in (".py", ".json"):
            yield path, f"recipe/{path.relative_to(RECIPE_ROOT).as_posix()}"


def packed_size(path: Path) -> int:
    """Bytes of a file in the archive, which is compressed."""
    return len(zlib.compress(path.read_bytes(), 9)) + 1024


def fitting(packages: Sequence[Mapping[str, Any]], room: float) -> list[Mapping[str, Any]]:
    """Packages of the corpus whose token files fit into `room` bytes: all held-out ones, then training packages in a fixed random order.

    Raises RecipeError if there is not even room for the held-out ones.
    """
    kept = [package for package in packages if package["split"] == "heldout"]
    room -= sum(packed_size(token_path(package["name"], "heldout")) for package in kept)
    if room < 0:
        raise RecipeError("the held-out packages alone are larger than the stage may be")
    others = [package for package in packages if package["split"] != "heldout"]
    others.sort(key=lambda one: hashlib.sha256(one["name"].encode()).digest())
    for package in progress(others, "packages"):
        size = packed_size(token_path(package["name"], package["split"]))
        if size <= room:
            kept.append(package)
            room -= size
    return [package for package in packages if package in kept]


def corpus(record: Mapping[str, Any], scratch: Path) -> Iterator[Item]:
    """The token files of a record's packages, and the record itself, which is written to `scratch`."""
    (scratch / "manifest.json").write_text(json.dumps(record, indent=1) + "\n")
    yield scratch / "manifest.json", "cache/tokens/manifest.json"
    for package in record["packages"]:
        path = token_path(package["name"], package["split"])
        yield path, f"cache/{path.relative_to(cache_dir()).as_posix()}"


def texts() -> Iterator[Item]:
    """The tokenizer and the chat template, which every command and every export needs."""
    load_tokenizer()
    chat_template()
    for name in ("tokenizer.json", "chat_template.jinja"):
        yield cache_dir() / "base" / name, f"cache/base/{name}"


def given(path: Path | None, name: str) -> Iterator[Item]:
    """A file or a folder named by a flag."""
    if path is None:
        return
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    yield path, name + ("" if path.is_dir() else path.suffix)


def wheels(folder: Path) -> Iterator[Item]:
    """The packages of WHEELS at the versions of pyproject.toml, without their dependencies."""
    project = tomllib.loads((RECIPE_ROOT / "pyproject.toml").read_text())["project"]
    listed = [*project["dependencies"], *project["optional-dependencies"]["onpolicy"]]
    wanted = [line for line in listed if line.split("==")[0] in WHEELS]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(folder), *wanted]
    subprocess.run(command, check=True)
    for line in wanted:
        name, version = line.split("==")
        (path,) = folder.glob(f"{name.replace('-', '_')}-{version}-*.whl")
        yield path, f"wheels/{path.name}"


def size_of(item: Item) -> int:
    """packed_size of a file, or of all files of a folder."""
    path, _ = item
    return sum(packed_size(file) for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


@dataclass(frozen=True)
class Inputs:
    """Files that a stage takes along beside code and corpus."""

    weights: bool = True  # of the base
    wheels: bool = False
    init: Path | None = None  # an adapter to start from, staged as init.safetensors
    model: Path | None = None  # a converted model or an export, staged as model/: to train on, or to round and to measure against
    own: Path | None = None  # own texts, staged as own.npy
    orders: Path | None = None  # own orders, staged as orders.npz

    def items(self) -> Iterator[Item]:
        """Files and folders here and their paths in the archive."""
        if self.weights:
            yield base_gguf(), f"cache/base/{base_gguf().name}"
        for path, name in ((self.init, "init"), (self.model, "model"), (self.own, "own"), (self.orders, "orders")):
            yield from given(path, name)
        if self.wheels:
            yield from wheels(cache_dir() / "wheels")


def stage(out: Path, inputs: Inputs, limit: int = STAGE_LIMIT, most: int | None = None) -> int:
    """Writes everything that a run needs into parts and returns how many there are.

    most: bytes of all parts together; training packages that do not fit are left out, and their names are printed.
    """
    record = read_record()
    with tempfile.TemporaryDirectory() as scratch:
        items = [*code(), *texts(), *inputs.items()]
        if commit := run_record.commit():
            (Path(scratch) / "commit.txt").write_text(commit + "\n")
            items.append((Path(scratch) / "commit.txt", "recipe/commit.txt"))
        if most is not None:
            packages = fitting(record["packages"], most - sum(map(size_of, items)))
            left = [one for one in record["packages"] if one not in packages]
            record |= {"packages": packages}
            if left:
                tokens = sum(one.get("tokens", 0) for one in left)
                print(f"left out, for want of room: {len(left)} packages, {tokens / 1e6:.1f}M tokens: {', '.join(p['name'] for p in left)}")
        return write_parts([*items, *corpus(record, Path(scratch))], out, limit)


def results(run: Path, out: Path, state: bool, limit: int = RESULT_LIMIT) -> int:
    """Packs adapter, log and settings of a run's folder into parts; returns how many there are."""
    names = ["adapter.safetensors", "log.jsonl", "settings.json"] + (["state.pt"] if state else [])
    return write_parts([(run / name, f"{run.name}/{name}") for name in names], out, limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    staging = commands.add_parser("stage")
    staging.add_argument("out", type=Path)
    staging.add_argument("--init", type=Path, help="adapter to start from, staged as init.safetensors")
    staging.add_argument("--model", type=Path, help="converted model or export to train on or to round, staged as model")
    staging.add_argument("--own", type=Path, help="own texts, staged as own.npy")
    staging.add_argument("--orders", type=Path, help="own orders, staged as orders.npz")
    staging.add_argument("--no-weights", action="store_true", help="leave out the base weights (98 MB)")
    staging.add_argument("--most-mib", type=int, help=f"leave out training packages above this; {SMALL} with --no-weights unless given")
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
        most = arguments.most_mib or (SMALL if arguments.no_weights else None)
        inputs = Inputs(not arguments.no_weights, arguments.wheels, arguments.init, arguments.model, arguments.own, arguments.orders)
        count = stage(arguments.out, inputs, most=most and most * MEBIBYTE)
        size = sum(file.stat().st_size for file in arguments.out.iterdir())
        print(f"{count} parts, {size / MEBIBYTE:.1f} MiB")
    elif arguments.command == "results":
        print(results(arguments.run, arguments.out, arguments.state), "parts")
    else:
        unpack.unpack(arguments.parts, arguments.target)
