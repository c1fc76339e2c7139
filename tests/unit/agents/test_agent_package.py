"""Packaging, and unpacking what strangers send."""

import io
import json
import stat
import zipfile
from pathlib import Path

import pytest

from tracelake.agents import package as packages
from tracelake.agents.package import build_package, read_manifest, read_script_block, unpack
from tracelake.model.errors import InvalidInput, PayloadTooLarge

NAME = "main.test.agent"


@pytest.fixture
def agent_file(tmp_path: Path) -> Path:
    path = tmp_path / "source" / "agent.py"
    path.parent.mkdir()
    path.write_text("import beside\n")
    return path


def make_zip(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        manifest = {"name": NAME, "entry": "agent.py", "python": "3", "created": "", "sha256": ""}
        archive.writestr("tracelake-agent.json", json.dumps(manifest))
        archive.writestr("code/agent.py", "")
        for name, data in entries:
            archive.writestr(name, data)
    return packed.getvalue()


def test_what_is_packed_comes_out_again(agent_file: Path, tmp_path: Path) -> None:
    folder = agent_file.parent / "lib"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__pycache__" / "x.pyc").write_bytes(b"left out")
    (folder / "deep").mkdir()
    (folder / "deep" / "data.txt").write_text("ä")
    agent_file.with_name("requirements.txt").write_text("iniconfig\n")
    made = build_package(agent_file, name=NAME, code_paths=[folder])
    assert made.files == ("agent.py", "lib/deep/data.txt")
    target = tmp_path / "out"
    assert unpack(made.content, target) == made.manifest == read_manifest(made.content)
    assert (target / "code" / "lib" / "deep" / "data.txt").read_text() == "ä"
    assert (target / "requirements.txt").read_text() == "iniconfig\n"
    assert not list(tmp_path.glob("*.partial"))


def test_the_hash_tells_contents_apart(agent_file: Path) -> None:
    first, again = (build_package(agent_file, name=NAME).manifest.sha256 for _ in range(2))
    agent_file.write_text("import other\n")
    assert first == again != build_package(agent_file, name=NAME).manifest.sha256


def test_requirements_given_come_before_inline_before_beside(
    agent_file: Path, tmp_path: Path
) -> None:
    agent_file.with_name("requirements.txt").write_text("beside\n")
    assert build_package(agent_file, name=NAME).requirements == "beside\n"
    agent_file.write_text('# /// script\n# dependencies = ["one", "two>=2"]\n# ///\n')
    assert build_package(agent_file, name=NAME).requirements == "one\ntwo>=2\n"
    given = tmp_path / "given.txt"
    given.write_text("given\n")
    assert build_package(agent_file, name=NAME, requirements=given).requirements == "given\n"


def test_a_file_without_script_block_names_none() -> None:
    assert read_script_block("import os\n") is None
    with pytest.raises(InvalidInput, match="not TOML"):
        read_script_block("# /// script\n# dependencies = [\n# ///\n")


def test_a_file_that_is_not_python_is_refused_with_its_line(agent_file: Path) -> None:
    agent_file.write_text("x = 1\ndef (\n")
    with pytest.raises(InvalidInput, match=r"agent\.py, line 2"):
        build_package(agent_file, name=NAME)
    with pytest.raises(InvalidInput, match="no file"):
        build_package(agent_file.with_name("none.py"), name=NAME)


@pytest.mark.parametrize(
    "name",
    ["../evil.py", "/etc/evil", "code/../../evil", "code\\..\\evil", "C:/evil", "code/../.."],
)
def test_paths_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="unsafe path"):
        unpack(make_zip((name, b"x")), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_links_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("code/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(InvalidInput, match="unsafe path"):
        unpack(make_zip((link, b"/etc/passwd")), tmp_path / "out")


def test_a_zip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = make_zip(("code/zeros", bytes(3 << 20)))
    assert len(bomb) < 64 << 10
    monkeypatch.setattr(packages, "MAX_UNPACKED_BYTES", 1 << 20)
    with pytest.raises(PayloadTooLarge, match="unpacks to over 1 MiB"):
        unpack(bomb, tmp_path / "out")


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MAX_FILES", 3)
    with pytest.raises(PayloadTooLarge, match="4 files"):
        read_manifest(make_zip(("a", b""), ("b", b"")))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 but no", b"\x00" * 100])
def test_what_is_no_zip_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="not a zip file"):
        read_manifest(content)


def test_a_zip_of_something_else_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("readme", "x")
    with pytest.raises(InvalidInput, match=r"no tracelake-agent\.json"):
        read_manifest(packed.getvalue())
