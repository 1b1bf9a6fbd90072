"""python -m recipe corpus: packages -> filtered, deduplicated, decontaminated uint16 token files in the cache.

One file per package. A package that was built before from the same version, filters and predecessors is not built again:
its key is a digest of its line of the list, VERSION, the evaluation sets and the key of the package before it, because
what counts as a duplicate depends on everything before. A new package at the end of the list costs only itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from recipe.data.dedupe import Marks, Seen
from recipe.data.fetch import Package, read_files, read_packages
from recipe.data.filters import evaluation_grams, grams, overlaps, reject_reason
from recipe.data.token_files import MANIFEST, token_path
from recipe.data.tokenizer import END_OF_TEXT, text_tokenizer
from recipe.paths import eval_dir

PACKAGES = Path(__file__).with_name("packages.json")
VERSION = 2
"""To be raised with every change of what a package yields."""

MAX_CHARACTERS = 20_000_000
"""Most text of one package, about 6M tokens: what is over is left out evenly, by the hash of its path."""

LANGUAGES = {"py": "python", "ts": "typescript", "tsx": "typescript", "mts": "typescript"}
"""By ending; everything else is JavaScript."""


def marks_path(name: str, split: str) -> Path:
    """Beside the tokens: the package's key, its line of the manifest and the marks of its files."""
    return token_path(name, split).with_suffix(".npz")


def kept_files(package: Package, seen: Seen, banned: NDArray[np.uint64], marks: Marks, dropped: Counter[str]) -> Iterator[tuple[str, str]]:
    """(path, text) of every file that belongs to the corpus; the others are counted in `dropped` by reason."""
    characters = 0
    files = sorted(read_files(package), key=lambda file: hashlib.sha256(file[0].encode()).digest())
    for path, raw in files:
        if characters > MAX_CHARACTERS:
            dropped["over the limit of a package"] += 1
            continue
        try:
            text = raw.decode().replace("\r\n", "\n")
        except UnicodeDecodeError:
            dropped["encoding"] += 1
            continue
        reason = reject_reason(path, text)
        if reason is None and overlaps(grams(text), banned):
            reason = "contaminated"
        if reason is None:
            reason = seen.reason_or_add(text, marks)
        if reason is not None:
            dropped[reason] += 1
            continue
        characters += len(text)
        yield path, text


def build_package(package: Package, tokenizer: Tokenizer, seen: Seen, banned: NDArray[np.uint64], key: str) -> dict[str, Any]:
    """Writes one package's tokens, documents ended by <|endoftext|>; returns its line of the manifest."""
    dropped: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    marks = Marks([], [])
    files = sorted(kept_files(package, seen, banned, marks, dropped))
    ids: list[NDArray[np.uint16]] = [np.zeros(0, dtype=np.uint16)]
    for path, text in files:
        ids.append(np.array([*tokenizer.encode(text, add_special_tokens=False).ids, END_OF_TEXT], dtype=np.uint16))
        languages[LANGUAGES.get(path.rsplit(".", 1)[1], "javascript")] += len(ids[-1])
    tokens = np.concatenate(ids)
    entry: dict[str, Any] = {field: getattr(package, field) for field in ("name", "version", "licence", "kind", "split")}
    entry |= {"files": len(files), "tokens": len(tokens), "languages": dict(sorted(languages.items()))}
    entry |= {"dropped": dict(sorted(dropped.items()))}
    target, side = token_path(package.name, package.split), marks_path(package.name, package.split)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed: a run that has the old file mapped keeps it. The tokens come first, the key last.
    with target.with_suffix(".new").open("wb") as file:
        np.save(file, tokens)
    target.with_suffix(".new").replace(target)
    with side.with_suffix(".new").open("wb") as file:
        np.savez(file, key=np.array(key), entry=np.array(json.dumps(entry)), **marks.arrays())  # type: ignore[arg-type]
    side.with_suffix(".new").replace(side)
    return entry


def built_before(package: Package, key: str, seen: Seen) -> dict[str, Any] | None:
    """The manifest's line of a package whose files are there under this key, its marks restored; else None."""
    side = marks_path(package.name, package.split)
    if not side.exists() or not token_path(package.name, package.split).exists():
        return None
    with np.load(side) as stored:
        if str(stored["key"]) != key:
            return None
        seen.restore(Marks.restored(stored["fingerprints"], stored["signatures"]))
        entry: dict[str, Any] = json.loads(str(stored["entry"]))
        return entry


def build(packages: list[Package], tokenizer: Tokenizer, banned: NDArray[np.uint64], manifest: Path) -> dict[str, Any]:
    """Builds what is missing, in the order of the list, and writes the manifest; returns its totals."""
    seen = Seen()
    entries = []
    key = hashlib.sha256(np.int64(VERSION).tobytes() + banned.tobytes()).hexdigest()
    for package in packages:
        key = hashlib.sha256((key + json.dumps(asdict(package), sort_keys=True)).encode()).hexdigest()
        entry = built_before(package, key, seen)
        if entry is None:
            entry = build_package(package, tokenizer, seen, banned, key)
            print(json.dumps(entry), flush=True)
        entries.append(entry)
    totals: dict[str, Any] = {split: sum(e["tokens"] for e in entries if e["split"] == split) for split in ("train", "heldout")}
    languages: Counter[str] = Counter()
    for entry in entries:
        languages.update(entry["languages"] if entry["split"] == "train" else {})
    totals |= {"train_languages": dict(sorted(languages.items()))}
    lines = ",\n".join("    " + json.dumps(entry) for entry in entries)
    manifest.write_text(f'{{\n  "tokens": {json.dumps(totals)},\n  "packages": [\n{lines}\n  ]\n}}\n')
    return totals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    parser.add_argument("--eval", type=Path, default=eval_dir(), help="folder of evaluation sets to decontaminate against")
    arguments = parser.parse_args()
    totals = build(read_packages(arguments.packages), text_tokenizer(), evaluation_grams(arguments.eval), MANIFEST)
    print(json.dumps(totals))
