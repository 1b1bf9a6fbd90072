"""python unpack.py PARTS TARGET: joins the parts that python -m recipe pack wrote. A copy is beside the parts; it needs only Python."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import tarfile
from pathlib import Path

INDEX = "index.json"


class Joined(io.RawIOBase):
    """The parts as one stream. Each part is checked before it is read."""

    def __init__(self, folder: Path, parts: list[dict[str, str]]) -> None:
        self.folder, self.left = folder, list(parts)
        self.current = io.BytesIO()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        while not (data := self.current.read(len(buffer))):
            if not self.left:
                return 0
            part = self.left.pop(0)
            content = (self.folder / part["file"]).read_bytes()
            if hashlib.sha256(content).hexdigest() != part["sha256"]:
                raise ValueError(f"{part['file']} is damaged: bring it over again")
            self.current = io.BytesIO(content)
        buffer[: len(data)] = data
        return len(data)


def unpack(folder: Path, target: Path) -> None:
    """Extracts the parts in `folder` under `target`. Raises FileNotFoundError that names every missing part."""
    parts = json.loads((folder / INDEX).read_text())["parts"]
    missing = [part["file"] for part in parts if not (folder / part["file"]).exists()]
    if missing:
        raise FileNotFoundError(f"missing in {folder}: {', '.join(missing)}")
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BufferedReader(Joined(folder, parts)), mode="r|gz") as archive:
        archive.extractall(target, filter="data")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    unpack(arguments.parts, arguments.target)
    print(arguments.target)
