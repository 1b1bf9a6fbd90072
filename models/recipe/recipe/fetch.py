"""Downloads pinned packages into the cache, checks their declared licence and yields their files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recipe.paths import cache_dir

PERMISSIVE = {
    "0BSD": r"0BSD",
    "Apache-2.0": r"Apache(-2\.0| Software License| 2)",
    "BSD-2-Clause": r"BSD",
    "BSD-3-Clause": r"BSD",
    "ISC": r"ISC",
    "MIT": r"MIT",
    "PSF-2.0": r"PSF|Python Software Foundation",
}
"""Accepted licences, each with the pattern that the package's own metadata must match."""


@dataclass(frozen=True)
class Package:
    """One line of packages.json. `include` holds path prefixes, `exclude` regular expressions."""

    name: str
    version: str
    licence: str
    kind: str  # npm | pypi | stdlib
    split: str  # train | heldout
    include: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)

    def wants(self, path: str) -> bool:
        """Whether a path inside the package (without the archive's top folder) belongs to the corpus."""
        if self.include and not any(path.startswith(prefix) for prefix in self.include):
            return False
        return not any(re.search(pattern, path) for pattern in self.exclude)


def read_packages(path: Path) -> list[Package]:
    """The list of packages, held-out ones first: their files win over duplicates in training packages."""
    packages = [Package(**row) for row in json.loads(path.read_text())]
    return sorted(packages, key=lambda package: package.split != "heldout")


def archive_path(package: Package) -> Path:
    """Path of the downloaded archive; downloads it with npm or pip when it is missing."""
    folder = cache_dir() / "packages"
    folder.mkdir(exist_ok=True)
    if package.kind == "npm":
        path = folder / f"{package.name.removeprefix('@').replace('/', '-')}-{package.version}.tgz"
        command = ["npm", "pack", "--silent", "--pack-destination", str(folder), f"{package.name}@{package.version}"]
        if not path.exists():
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return path
    pattern = f"{package.name.replace('-', '_')}-{package.version}*.whl"
    if not any(folder.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(folder)]
        subprocess.run([*command, f"{package.name}=={package.version}"], check=True)
    return next(folder.glob(pattern))


def check_licence(package: Package, declared: str) -> None:
    """Refuses a licence that is not permissive or that the package's own metadata does not declare."""
    pattern = PERMISSIVE.get(package.licence)
    if pattern is None:
        raise ValueError(f"{package.name}: {package.licence} is not on the list of permissive licences")
    if not re.search(pattern, declared):
        raise ValueError(f"{package.name}: packages.json says {package.licence}, its metadata says {declared!r}")


def read_files(package: Package) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of every wanted file, after checking version and licence, in sorted order."""
    if package.kind == "npm":
        yield from _npm_files(package)
    elif package.kind == "pypi":
        yield from _wheel_files(package)
    else:
        yield from _stdlib_files(package)


def _npm_files(package: Package) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive_path(package)) as archive:
        members = {m.name.split("/", 1)[1]: m for m in archive.getmembers() if m.isfile() and "/" in m.name}

        def content(path: str) -> bytes:
            handle = archive.extractfile(members[path])
            assert handle is not None
            return handle.read()

        check_licence(package, str(json.loads(content("package.json")).get("license")))
        for path in sorted(members):
            if package.wants(path):
                yield path, content(path)


def _wheel_files(package: Package) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive_path(package)) as archive:
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
        metadata = archive.read(next(n for n in names if n.endswith(".dist-info/METADATA"))).decode().split("\n\n")[0]
        lines = [line for line in metadata.splitlines() if re.match(r"License(-Expression)?:|Classifier: License", line)]
        check_licence(package, "; ".join(lines))
        for path in names:
            if ".dist-info/" not in path and package.wants(path):
                yield path, archive.read(path)


def _stdlib_files(package: Package) -> Iterator[tuple[str, bytes]]:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running != package.version:
        raise ValueError(f"packages.json wants the standard library of Python {package.version}, this is {running}")
    check_licence(package, "PSF-2.0")
    root = Path(sysconfig.get_paths()["stdlib"])
    for file in sorted(root.rglob("*.py")):
        path = file.relative_to(root).as_posix()
        if package.wants(path):
            yield path, file.read_bytes()
