"""Downloads pinned packages into the cache, checks their declared licence and yields their files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recipe.data.filters import SOURCE
from recipe.paths import REPOSITORY_ROOT, cache_dir

PERMISSIVE = {
    "0BSD": r"0BSD",
    "Apache-2.0": r"Apache([ -]2| Software License| License)",
    "BSD-2-Clause": r"\bBSD",
    "BSD-3-Clause": r"\bBSD",
    "ISC": r"\bISC\b",
    "MIT": r"\bMIT\b",
    "PSF-2.0": r"PSF|Python Software Foundation",
    "Unlicense": r"Unlicense",
}
"""Accepted licences, each with the pattern that the package's own metadata must match."""

NOT_PERMISSIVE = re.compile(r"GPL|GNU|MPL|Mozilla|EPL|Eclipse|CC-BY|SSPL|BUSL|Business Source|Proprietary|Commercial", re.IGNORECASE)
"""Refused if metadata names it without an alternative."""


@dataclass(frozen=True)
class Package:
    """One line of packages.json. `include` holds path prefixes, `exclude` regular expressions."""

    name: str
    version: str
    licence: str
    kind: str  # npm | pypi (a wheel) | sdist | stdlib | repository (this one; `include` names folders)
    split: str  # train | heldout
    include: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)

    def wants(self, path: str) -> bool:
        """Whether a path inside the package (without the archive's top folder) belongs to the corpus."""
        if self.include and not any(path.startswith(prefix) for prefix in self.include):
            return False
        return not any(re.search(pattern, path) for pattern in self.exclude)


def read_packages(path: Path) -> list[Package]:
    """The list of packages, held-out ones first, so that they keep files that training packages have too."""
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
    stem = f"{package.name.replace('-', '_')}-{package.version}"
    choice, pattern = ("--only-binary", f"{stem}-*.whl") if package.kind == "pypi" else ("--no-binary", f"{stem}.tar.gz")
    if not any(folder.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", choice, ":all:", "-d", str(folder)]
        subprocess.run([*command, f"{package.name}=={package.version}"], check=True)
    return next(folder.glob(pattern))


def check_licence(package: Package, declared: str) -> None:
    """Refuses a licence that is not permissive or that the package's own metadata does not declare."""
    pattern = PERMISSIVE.get(package.licence)
    if pattern is None:
        raise ValueError(f"{package.name}: {package.licence} is not on the list of permissive licences")
    if NOT_PERMISSIVE.search(declared) and not re.search(r"\bOR\b", declared):
        raise ValueError(f"{package.name}: its metadata says {declared!r}")
    if not re.search(pattern, declared):
        raise ValueError(f"{package.name}: the list says {package.licence}, its metadata says {declared!r}")


def read_files(package: Package) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of every wanted source file, after checking version and licence."""
    if package.kind == "npm":
        yield from _tar_files(package, "package.json", npm_licence)
    elif package.kind == "pypi":
        yield from _wheel_files(package)
    elif package.kind == "sdist":
        yield from _tar_files(package, "PKG-INFO", core_metadata_licence)
    elif package.kind == "stdlib":
        yield from _stdlib_files(package)
    elif package.kind == "repository":
        yield from _repository_files(package)
    else:
        raise ValueError(f"{package.name}: unknown kind {package.kind!r}")


def npm_licence(package_json: str) -> str:
    """The licence in package.json. Old packages have a list of objects."""
    fields = json.loads(package_json)
    return str(fields.get("license") or fields.get("licenses"))


def core_metadata_licence(metadata: str) -> str:
    """The licence lines of METADATA or PKG-INFO."""
    header = metadata.replace("\r\n", "\n").split("\n\n")[0]
    return "; ".join(line for line in header.splitlines() if re.match(r"License(-Expression)?:|Classifier: License", line))


def _tar_files(package: Package, metadata: str, licence: Callable[[str], str]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive_path(package)) as archive:
        members = {m.name.split("/", 1)[1]: m for m in archive.getmembers() if m.isfile() and "/" in m.name}

        def content(path: str) -> bytes:
            handle = archive.extractfile(members[path])
            assert handle is not None
            return handle.read()

        check_licence(package, licence(content(metadata).decode()))
        # In the order of the archive, because a step back in a compressed file reads it again from the start.
        for path in members:
            if SOURCE.search(path) and package.wants(path):
                yield path, content(path)


def _wheel_files(package: Package) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive_path(package)) as archive:
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
        metadata = archive.read(next(n for n in names if n.endswith(".dist-info/METADATA"))).decode()
        check_licence(package, core_metadata_licence(metadata))
        for path in names:
            if SOURCE.search(path) and package.wants(path):
                yield path, archive.read(path)


def running_python() -> str:
    """Major and minor version of the running Python."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def unavailable(package: Package) -> str | None:
    """Why this machine cannot read a package, or None. Only the running Python's own standard library is at hand."""
    if package.kind == "stdlib" and running_python() != package.version:
        return f"it is the standard library of Python {package.version}, and this is Python {running_python()}"
    return None


def _stdlib_files(package: Package) -> Iterator[tuple[str, bytes]]:
    if reason := unavailable(package):
        raise ValueError(f"{package.name} cannot be read: {reason}")
    check_licence(package, "PSF-2.0")
    root = Path(sysconfig.get_paths()["stdlib"])
    for file in sorted(root.rglob("*.py")):
        path = file.relative_to(root).as_posix()
        if package.wants(path):
            yield path, file.read_bytes()


def _repository_files(package: Package) -> Iterator[tuple[str, bytes]]:
    check_licence(package, npm_licence((REPOSITORY_ROOT / "package.json").read_text()))
    for folder in package.include:
        for file in sorted((REPOSITORY_ROOT / folder).rglob("*")):
            path = file.relative_to(REPOSITORY_ROOT).as_posix()
            if file.is_file() and SOURCE.search(path) and package.wants(path):
                yield path, file.read_bytes()
