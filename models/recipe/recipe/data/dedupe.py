"""Exact and near duplicates of files that the corpus already has."""

from __future__ import annotations

import numpy as np
from datasketch import LeanMinHash, MinHash, MinHashLSH
from numpy.typing import NDArray

from recipe.data.filters import fingerprint, grams

NEAR = 0.7
"""From this estimated Jaccard similarity of two files' shingles on, the second file is dropped."""

SHINGLE = 5
"""Words per shingle."""

PERMUTATIONS = 128
SEED = 1
SCHEME = "affine32"
EMPTY = 0xFFFFFFFF
"""Every value of the sketch of a file without shingles."""


def signature(text: str) -> NDArray[np.uint32]:
    """MinHash [128] of the file's shingles. Only the exact comparison sees a file with fewer words than a shingle."""
    sketch = MinHash(num_perm=PERMUTATIONS, seed=SEED, scheme=SCHEME, hashfunc=int)
    shingles = (grams(text, SHINGLE) & np.uint64(EMPTY)).tolist()
    if shingles:
        sketch.update_batch(shingles)
    return np.asarray(sketch.hashvalues, dtype=np.uint32)


def sketch_of(hashes: NDArray[np.uint32]) -> LeanMinHash:
    """The sketch of a signature."""
    return LeanMinHash(seed=SEED, hashvalues=hashes, scheme=SCHEME)


class Marks:
    """Fingerprints and signatures [N, 128] of the kept files of one package."""

    def __init__(self, fingerprints: list[str], signatures: list[NDArray[np.uint32]]) -> None:
        self.fingerprints, self.signatures = fingerprints, signatures

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays for np.savez."""
        stacked = np.array(self.signatures, dtype=np.uint32).reshape(-1, PERMUTATIONS)
        return {"fingerprints": np.array(self.fingerprints, dtype="U64"), "signatures": stacked}

    @staticmethod
    def restored(fingerprints: NDArray[np.str_], signatures: NDArray[np.uint32]) -> Marks:
        """The inverse of arrays()."""
        return Marks(fingerprints.tolist(), list(signatures))


class Seen:
    """All files kept so far. The first of two near copies stays."""

    def __init__(self) -> None:
        self.exact: set[str] = set()
        self.near = MinHashLSH(threshold=NEAR, num_perm=PERMUTATIONS)
        self.signatures: list[NDArray[np.uint32]] = []

    def reason(self, mark: str, hashes: NDArray[np.uint32]) -> str | None:
        """Why a file is not new, or None."""
        if mark in self.exact:
            return "duplicate"
        candidates = self.near.query(sketch_of(hashes))
        if any(float((self.signatures[int(index)] == hashes).mean()) >= NEAR for index in candidates):
            return "near duplicate"
        return None

    def add(self, mark: str, hashes: NDArray[np.uint32]) -> None:
        self.exact.add(mark)
        if hashes.min() < EMPTY:  # the empty sketch would equal every other one
            self.near.insert(str(len(self.signatures)), sketch_of(hashes))
            self.signatures.append(hashes)

    def restore(self, marks: Marks) -> None:
        """Adds the files of a package that was built before."""
        for mark, hashes in zip(marks.fingerprints, marks.signatures, strict=True):
            self.add(mark, hashes)

    def reason_or_add(self, text: str, marks: Marks) -> str | None:
        """reason(). A new file is added here and to the package's marks."""
        mark, hashes = fingerprint(text), signature(text)
        reason = self.reason(mark, hashes)
        if reason is None:
            self.add(mark, hashes)
            marks.fingerprints.append(mark)
            marks.signatures.append(hashes)
        return reason
