"""python -m recipe.corpus: packages -> filtered, deduplicated, decontaminated uint16 token files in the cache."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from recipe.fetch import Package, read_files, read_packages
from recipe.filters import evaluation_grams, fingerprint, grams, reject_reason
from recipe.paths import RECIPE_ROOT, cache_dir, eval_dir
from recipe.tokenizer import END_OF_TEXT, load_tokenizer

PACKAGES = Path(__file__).with_name("packages.json")
MANIFEST = RECIPE_ROOT / "manifest.json"


def token_path(name: str, split: str) -> Path:
    """One memory-mappable file per package, so that the list grows without redoing the rest."""
    return cache_dir() / "tokens" / split / f"{name.removeprefix('@').replace('/', '-')}.npy"


def build_package(package: Package, tokenizer: Tokenizer, seen: set[str], banned: set[int]) -> dict[str, object]:
    """Writes one package's tokens, documents ended by <|endoftext|>; returns its line of the manifest."""
    dropped: Counter[str] = Counter()
    texts: list[str] = []
    for path, raw in read_files(package):
        try:
            text = raw.decode().replace("\r\n", "\n")
        except UnicodeDecodeError:
            dropped["encoding"] += 1
            continue
        reason = reject_reason(path, text)
        mark = fingerprint(text)
        if reason is None and mark in seen:
            reason = "duplicate"
        if reason is None and not banned.isdisjoint(grams(text)):
            reason = "contaminated"
        if reason is not None:
            dropped[reason] += 1
            continue
        seen.add(mark)
        texts.append(text)
    ids: list[int] = []
    for encoding in tokenizer.encode_batch(texts):
        ids += [*encoding.ids, END_OF_TEXT]
    target = token_path(package.name, package.split)
    target.parent.mkdir(parents=True, exist_ok=True)
    np.save(target, np.array(ids, dtype=np.uint16))
    entry: dict[str, object] = {key: getattr(package, key) for key in ("name", "version", "licence", "kind", "split")}
    return entry | {"files": len(texts), "tokens": len(ids), "dropped": dict(sorted(dropped.items()))}


def load_split(split: str) -> dict[str, NDArray[np.uint16]]:
    """Tokens per package name, memory-mapped, in the manifest's order."""
    listed = json.loads(MANIFEST.read_text())["packages"]
    return {p["name"]: np.load(token_path(p["name"], split), mmap_mode="r") for p in listed if p["split"] == split}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    parser.add_argument("--eval", type=Path, default=eval_dir(), help="folder of evaluation sets to decontaminate against")
    arguments = parser.parse_args()
    tokenizer, banned, seen = load_tokenizer(), evaluation_grams(arguments.eval), set[str]()
    entries = []
    for package in read_packages(arguments.packages):
        entries.append(build_package(package, tokenizer, seen, banned))
        print(json.dumps(entries[-1]), flush=True)
    totals = {s: sum(int(str(e["tokens"])) for e in entries if e["split"] == s) for s in ("train", "heldout")}
    lines = ",\n".join("    " + json.dumps(entry) for entry in entries)
    MANIFEST.write_text(f'{{\n  "tokens": {json.dumps(totals)},\n  "packages": [\n{lines}\n  ]\n}}\n')
    print(json.dumps(totals))


if __name__ == "__main__":
    main()
