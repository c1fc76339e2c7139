"""The docs tell the truth: code runs, and every setting, route, column and command is there."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tracelake.model.settings import Setting
from tracelake.sdk.settings import SETTINGS as SDK_SETTINGS
from tracelake.server.describe import describe
from tracelake.server.settings import SETTINGS as SERVER_SETTINGS
from tracelake.store.open import Store
from tracelake.store.schema import metadata

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
_CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("setting", [*SERVER_SETTINGS, *SDK_SETTINGS], ids=lambda s: s.env)
def test_every_setting_is_documented(setting: Setting) -> None:
    default = f"`{setting.default}`" if setting.default else "empty"
    row = f"| `{setting.name}` | `{setting.env}` | {default} | {setting.help} |"
    assert row in (REFERENCE / "settings.md").read_text()


def test_every_route_is_documented() -> None:
    page = (REFERENCE / "rest-api.md").read_text()
    described: dict[str, Any] = json.loads(describe())
    for path, methods in described["paths"].items():
        for method in methods:
            assert f"| `{method.upper()} {path}` |" in page


def test_the_ui_was_built_from_this_api() -> None:
    assert (ROOT / "ui" / "openapi.json").read_text() == describe(), "run `make api-types`"


def test_every_column_is_documented(store: Store) -> None:
    assert store.experiments.get("0")
    page = (REFERENCE / "schema.md").read_text()
    for table in metadata.tables.values():
        section = page.split(f"\n## {table.name}\n")[1].split("\n## ")[0]
        for column in table.columns:
            assert f"| `{column.name}` |" in section


def test_every_command_is_documented() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tracelake", "--help"], capture_output=True, text=True, check=True
    )
    page = (REFERENCE / "cli.md").read_text()
    commands = re.findall(r"^    (\w+) ", told.stdout, re.MULTILINE)
    assert len(commands) >= 5
    for command in commands:
        assert f"| `tracelake {command}` |" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    ("page", "code"),
    [(page, code) for page in PAGES for code in _CODE.findall(page.read_text())],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_code_in_the_docs_runs(page: Path, code: str, tmp_path: Path) -> None:
    # No server runs here: the SDK must not mind, and what is shown must be right Python.
    script = tmp_path / f"{page.stem}.py"
    script.write_text(code.replace("http://127.0.0.1:5050", "http://127.0.0.1:9"))
    subprocess.run([sys.executable, script], check=True, timeout=60, capture_output=True)


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    for page in folder.glob("0*.md"):
        assert f"]({page.name})" in index
