"""python -m recipe corpus: turns packages into filtered, deduplicated, decontaminated token files in the cache.

There is one file per package. A package is built again only if its key changed. The key is a digest of VERSION, of the
package's line in the list, of the evaluation sets and of the key of the package before it, because every earlier package
decides which files are duplicates. A new package at the end of the list costs only itself.

Training packages are decontaminated: a file that shares 13 words in a row with an evaluation set is left out. Held-out
packages are not, because nothing is trained on them; `--split heldout` therefore needs no evaluation sets.

Every build records its packages beside the tokens. Only a whole, decontaminated build of packages.json also writes the
committed models/recipe/manifest.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from recipe.data.dedupe import Marks, Seen
from recipe.data.fetch import Package, read_files, read_packages, unavailable
from recipe.data.filters import evaluation_files, evaluation_grams, grams, overlaps, reject_reason
from recipe.data.token_files import MANIFEST, read_record, record_path, token_path
from recipe.data.tokenizer import END_OF_TEXT, text_tokenizer
from recipe.paths import eval_dir

PACKAGES = Path(__file__).with_name("packages.json")
VERSION = 2
"""Raise it with every change that alters the tokens of a package."""

MAX_CHARACTERS = 20_000_000
"""Most text of one package, about 6M tokens. The files left out are spread evenly, by the hash of their paths."""

LANGUAGES = {"py": "python", "ts": "typescript", "tsx": "typescript", "mts": "typescript"}
"""Language by file ending; every other ending is JavaScript."""

NOTHING = np.zeros(0, dtype=np.uint64)
"""The banned 13-grams of packages that are not decontaminated."""


def marks_path(name: str, split: str) -> Path:
    """The file beside the tokens with the package's key, its line of the record and the marks of its files."""
    return token_path(name, split).with_suffix(".npz")


def kept_files(package: Package, seen: Seen, banned: NDArray[np.uint64], marks: Marks, dropped: Counter[str]) -> Iterator[tuple[str, str]]:
    """(path, text) of every file that belongs to the corpus. `dropped` counts the others by reason."""
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
    """Writes one package's tokens, each document ended by <|endoftext|>. Returns the package's line of the record."""
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
    # Written under another name and renamed, so that a run keeps the old file that it has mapped. The key comes last.
    with target.with_suffix(".new").open("wb") as file:
        np.save(file, tokens)
    target.with_suffix(".new").replace(target)
    with side.with_suffix(".new").open("wb") as file:
        np.savez(file, key=np.array(key), entry=np.array(json.dumps(entry)), **marks.arrays())  # type: ignore[arg-type]
    side.with_suffix(".new").replace(side)
    return entry


def built_before(package: Package, key: str, seen: Seen) -> dict[str, Any] | None:
    """The line of the record of a package that is there under this key, after its marks are restored; else None."""
    side = marks_path(package.name, package.split)
    if not side.exists() or not token_path(package.name, package.split).exists():
        return None
    with np.load(side) as stored:
        if str(stored["key"]) != key:
            return None
        seen.restore(Marks.restored(stored["fingerprints"], stored["signatures"]))
        entry: dict[str, Any] = json.loads(str(stored["entry"]))
        return entry


def build_packages(packages: Sequence[Package], tokenizer: Tokenizer, banned: NDArray[np.uint64]) -> list[dict[str, Any]]:
    """Builds the packages that are missing, in the order of the list. Returns every package's line of the record.

    `banned`: sorted 13-grams of the evaluation sets. Prints a JSON line for each package that was built.
    """
    seen = Seen()
    entries = []
    rules = hashlib.sha256(banned.tobytes()).hexdigest()
    key = hashlib.sha256(np.int64(VERSION).tobytes()).hexdigest()
    for number, package in enumerate(packages, start=1):
        heldout = package.split == "heldout"
        line = json.dumps(asdict(package), sort_keys=True)
        key = hashlib.sha256((key + line + ("" if heldout else rules)).encode()).hexdigest()
        entry = built_before(package, key, seen)
        if entry is None:
            print(f"package {number} of {len(packages)}: {package.name}", file=sys.stderr, flush=True)
            entry = build_package(package, tokenizer, seen, NOTHING if heldout else banned, key)
            print(json.dumps(entry), flush=True)
        entries.append(entry)
    return entries


def write_record(path: Path, entries: Sequence[Mapping[str, Any]], against: Mapping[str, str]) -> dict[str, Any]:
    """Writes the record of a corpus and returns its totals. `against`: evaluation set -> SHA-256; empty without decontamination."""
    totals: dict[str, Any] = {split: sum(e["tokens"] for e in entries if e["split"] == split) for split in ("train", "heldout")}
    languages: Counter[str] = Counter()
    for entry in entries:
        languages.update(entry["languages"] if entry["split"] == "train" else {})
    totals |= {"train_languages": dict(sorted(languages.items()))}
    lines = ",\n".join("    " + json.dumps(entry) for entry in entries)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'{{\n  "tokens": {json.dumps(totals)},\n  "decontaminated_against": {json.dumps(against)},\n  "packages": [\n{lines}\n  ]\n}}\n'
    )
    return totals


def build(packages: list[Package], tokenizer: Tokenizer, banned: NDArray[np.uint64], manifest: Path) -> dict[str, Any]:
    """Builds the packages that are missing and writes their record to `manifest`. Returns its totals."""
    return write_record(manifest, build_packages(packages, tokenizer, banned), {})


def readable(packages: Sequence[Package]) -> list[Package]:
    """The packages that this machine can read; a warning names each of the others."""
    for package in packages:
        if reason := unavailable(package):
            print(f"warning: {package.name} is skipped, because {reason}", file=sys.stderr, flush=True)
    return [package for package in packages if unavailable(package) is None]


def digests(files: Sequence[Path]) -> dict[str, str]:
    """File name -> SHA-256."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def build_heldout(packages: Sequence[Package], tokenizer: Tokenizer) -> dict[str, Any]:
    """Builds the held-out packages alone. Training packages that the cache has stay in its record. Returns the record's totals."""
    before = read_record()
    kept = [e for e in before["packages"] if e["split"] != "heldout" and token_path(e["name"], e["split"]).exists()]
    entries = build_packages([package for package in packages if package.split == "heldout"], tokenizer, NOTHING)
    return write_record(record_path(), [*entries, *kept], before.get("decontaminated_against", {}) if kept else {})


def build_all(listed: Sequence[Package], tokenizer: Tokenizer, sets: Path | None, committed: Path | None) -> dict[str, Any]:
    """Builds a whole list and returns the totals of its record. `sets`: the folder to decontaminate against, or None.

    A complete and decontaminated build is also recorded in `committed`, unless that is None.
    """
    against = digests(evaluation_files(sets)) if sets else {}
    packages = readable(listed)
    entries = build_packages(packages, tokenizer, evaluation_grams(sets) if sets else NOTHING)
    if committed and sets and len(packages) == len(listed):
        write_record(committed, entries, against)
    return write_record(record_path(), entries, against)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, default=PACKAGES, help="another list than packages.json")
    parser.add_argument("--split", choices=["heldout"], help="build the held-out packages alone: seconds, and no evaluation sets")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--eval", type=Path, default=eval_dir(), help="folder of evaluation sets to decontaminate against")
    how.add_argument("--no-decontamination", action="store_true", help="build without evaluation sets; the record says so")
    arguments = parser.parse_args()
    packages = read_packages(arguments.packages)
    if arguments.split == "heldout":
        totals = build_heldout(packages, text_tokenizer())
    else:
        sets = None if arguments.no_decontamination else arguments.eval
        if sets:
            evaluation_files(sets)  # before anything is downloaded
        committed = MANIFEST if arguments.packages.resolve() == PACKAGES.resolve() else None
        totals = build_all(packages, text_tokenizer(), sets, committed)
    print(json.dumps(totals))
