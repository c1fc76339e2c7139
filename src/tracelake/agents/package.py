"""An agent as a zip: its file, the code it imports, its requirements, and a manifest."""

import ast
import hashlib
import io
import json
import platform
import re
import shutil
import stat
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, cast

from tracelake.model.errors import InvalidInput, PayloadTooLarge

MANIFEST = "tracelake-agent.json"
REQUIREMENTS = "requirements.txt"
CODE = "code"
"""Folder of the zip that holds the agent's files."""
MAX_PACKAGE_BYTES = 64 << 20
MAX_UNPACKED_BYTES = 256 << 20
MAX_FILES = 5000

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = {"__pycache__", ".git", ".venv", "node_modules", ".pytest_cache", ".ruff_cache"}
_SCRIPT_BLOCK = re.compile(r"(?m)^# /// script\s*$\n(?P<body>(?:^#(?: .*)?$\n)+?)^# ///\s*$")


@dataclass(frozen=True, slots=True)
class Manifest:
    name: str
    entry: str
    """Path of the agent file inside the code folder, with slashes."""
    python: str
    created: str
    """RFC 3339."""
    sha256: str
    """Hash over the names and contents of all other files."""


@dataclass(frozen=True, slots=True)
class Package:
    manifest: Manifest
    content: bytes
    files: tuple[str, ...]
    requirements: str


def build_package(
    agent_file: Path,
    *,
    name: str,
    requirements: Path | None = None,
    code_paths: Sequence[Path] = (),
) -> Package:
    """Package an agent file. `code_paths` are files or folders that lie beside it for imports.

    Requirements come from the given file, else from the file's inline script block (PEP 723),
    else from requirements.txt beside it, else there are none. Raises InvalidInput where a file is
    missing or is not Python, PayloadTooLarge over 64 MiB.
    """
    if not agent_file.is_file():
        raise InvalidInput(f"there is no file {agent_file}")
    source = agent_file.read_bytes()
    try:
        ast.parse(source, agent_file.name)
    except SyntaxError as error:
        raise InvalidInput(
            f"{agent_file.name}, line {error.lineno}: {error.msg}. Mend the file and deploy again"
        ) from error
    files = {agent_file.name: source}
    for path in code_paths:
        files.update(_read_tree(path))
    text = _find_requirements(agent_file, source, requirements)
    content = {f"{CODE}/{path}": data for path, data in files.items()}
    content[REQUIREMENTS] = text.encode()
    manifest = Manifest(
        name=name,
        entry=agent_file.name,
        python=platform.python_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        sha256=_digest(content),
    )
    content[MANIFEST] = json.dumps(asdict(manifest), indent=2, sort_keys=True).encode()
    packed = _zip(content)
    if len(packed) > MAX_PACKAGE_BYTES:
        raise PayloadTooLarge(
            f"the package has {len(packed) >> 20} MiB; the limit is {MAX_PACKAGE_BYTES >> 20} MiB"
        )
    return Package(manifest, packed, tuple(sorted(files)), text)


def read_manifest(content: bytes) -> Manifest:
    """Check a package without unpacking it. Raises InvalidInput, PayloadTooLarge."""
    with _open(content) as archive:
        infos = {info.filename: info for info in _checked(archive)}
        if MANIFEST not in infos:
            raise InvalidInput(f"the package has no {MANIFEST}; make it with `tracelake deploy`")
        if infos[MANIFEST].file_size > 1 << 20:
            raise InvalidInput(f"{MANIFEST} is over 1 MiB")
        try:
            fields = json.loads(archive.read(MANIFEST))
            manifest = Manifest(**cast("dict[str, Any]", fields))
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{MANIFEST} cannot be read: {error}") from error
        if f"{CODE}/{manifest.entry}" not in infos:
            raise InvalidInput(f"the package does not hold its agent file {manifest.entry!r}")
        return manifest


def unpack(content: bytes, folder: Path) -> Manifest:
    """Unpack into an empty or new folder, all or nothing. Raises InvalidInput, PayloadTooLarge.

    Nothing is written outside `folder`; links, absolute paths and `..` are refused; what is
    written is counted while it is written, whatever the zip claims.
    """
    manifest = read_manifest(content)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    left = MAX_UNPACKED_BYTES
    with _open(content) as archive:
        for info in _checked(archive):
            if info.is_dir():
                continue
            target = partial / PurePosixPath(info.filename)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, target.open("wb") as out:
                while block := source.read(1 << 20):
                    left -= len(block)
                    if left < 0:
                        raise PayloadTooLarge(
                            f"the package unpacks to over {MAX_UNPACKED_BYTES >> 20} MiB"
                        )
                    out.write(block)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return manifest


def _open(content: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile as error:
        raise InvalidInput(f"the package is not a zip file: {error}") from error


def _checked(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MAX_FILES:
        raise PayloadTooLarge(f"the package has {len(infos)} files; the limit is {MAX_FILES}")
    if sum(info.file_size for info in infos) > MAX_UNPACKED_BYTES:
        raise PayloadTooLarge(f"the package unpacks to over {MAX_UNPACKED_BYTES >> 20} MiB")
    for info in infos:
        path = PurePosixPath(info.filename)
        kind = stat.S_IFMT(info.external_attr >> 16)
        unsafe = path.is_absolute() or ".." in path.parts or "\\" in info.filename
        if unsafe or ":" in info.filename or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InvalidInput(f"the package holds an unsafe path: {info.filename!r}")
    return infos


def _find_requirements(agent_file: Path, source: bytes, given: Path | None) -> str:
    if given is not None:
        if given.is_dir() or not given.exists():
            raise InvalidInput(f"there is no requirements file {given}")
        return given.read_text("utf-8")
    inline = read_script_block(source.decode("utf-8"))
    if inline is not None:
        return inline
    beside = agent_file.with_name(REQUIREMENTS)
    return beside.read_text("utf-8") if beside.is_file() else ""


def read_script_block(source: str) -> str | None:
    """Requirement lines of an inline script block (PEP 723), or None where there is no block."""
    match = _SCRIPT_BLOCK.search(source)
    if match is None:
        return None
    lines = [line[2:] for line in match["body"].splitlines()]
    try:
        table = tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"the inline `# /// script` block is not TOML: {error}") from error
    return "".join(f"{line}\n" for line in table.get("dependencies", []))


def _read_tree(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {path.name: path.read_bytes()}
    if not path.is_dir():
        raise InvalidInput(f"there is no file or folder {path}")
    return {
        str(PurePosixPath(path.name, *each.relative_to(path).parts)): each.read_bytes()
        for each in _walk(path)
    }


def _walk(folder: Path) -> Iterator[Path]:
    for each in sorted(folder.iterdir()):
        if each.name in _LEFT_OUT or each.is_symlink():
            continue
        if each.is_dir():
            yield from _walk(each)
        elif each.is_file():
            yield each


def _digest(content: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(content):
        digest.update(f"{name}\0{len(content[name])}\0".encode())
        digest.update(content[name])
    return digest.hexdigest()


def _zip(content: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(content):
            info = zipfile.ZipInfo(name, _ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content[name])
    return packed.getvalue()
