"""What a benchmark prints, and writes into docs/reference/benchmarks.md: bars, then tables."""

import argparse
import os
import platform
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Bar:
    """One promise: `held` is None where this run did not measure it."""

    row: str
    promise: str
    measured: str
    held: bool | None

    @property
    def word(self) -> str:
        return {True: "held", False: "MISSED", None: "not measured"}[self.held]


@dataclass
class Report:
    """One section of the page."""

    name: str
    bars: list[Bar] = field(default_factory=list[Bar])
    tables: list[str] = field(default_factory=list[str])

    def bar(self, row: str, promise: str, measured: str, held: bool | None) -> None:
        self.bars.append(Bar(row, promise, measured, held))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
        self.tables.append((f"{title}\n\n" if title else "") + markdown(head, rows))

    def text(self) -> str:
        bars = markdown(
            ("row", "bar", "measured", ""),
            [(bar.row, bar.promise, bar.measured, bar.word) for bar in self.bars],
        )
        told = [bars, *self.tables] if self.bars else self.tables
        return "\n\n".join([f"{_today()}, {machine()}.", *told])

    def finish(self, *, write: bool) -> int:
        """Print it; write it into the page where asked. 1 when a measured bar is missed."""
        print(self.text())
        if write:
            write_section(self.name, self.text())
        return int(any(bar.held is False for bar in self.bars))


def options(description: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has.

    Also lets a request to end pass through `finally`, so that no server stays behind.
    """
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(143))
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="put the results into the page")
    parser.add_argument(
        "--peers", type=Path, default=Path(".peers"), help="folder of the other systems' packages"
    )
    parser.add_argument(
        "--stores", type=Path, default=Path(".stores"), help="folder for stores; made where missing"
    )
    return parser


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that reads well as plain text too; numbers stand to the right."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    right = [
        all(re.match(r"^([-–]|not .*|[\d.,]+.*)?$", row[column]) for row in cells[1:])
        for column in range(len(head))
    ]
    lines = [_line(row, widths, right) for row in cells]
    rule = "|".join(
        "-" * (width + 1) + (":" if on_right else "-")
        for width, on_right in zip(widths, right, strict=True)
    )
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = (
        cell.rjust(width) if on_right else cell.ljust(width)
        for cell, width, on_right in zip(row, widths, right, strict=True)
    )
    return "| " + " | ".join(cells) + " |"


def write_section(name: str, text: str) -> None:
    """Replace what stands between the page's marks of this section."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _old, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"{PAGE} has no section {name}")
    PAGE.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def machine() -> str:
    """What it ran on, in a line."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB of memory, "
        f"{platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.1f} ×" if theirs else "–"
