"""Layers: the order in which the files of lightwork may know each other.

The one place that says it: tests/test_layers.py enforces it, docs/build.py
prints it into docs/design.md. A file imports only from rows above its own.
Files of one part (a folder, or the files of one part's text) may import each
other, without a cycle; parts of one row do not know each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final


@dataclass(frozen=True, slots=True)
class Layer:
    """One row.

    Attributes:
        name: One word for the row.
        parts: Files, and folders (with a slash), below src/lightwork; a part may be
            several files that share one noun.
        meaning: One line for the manual.
        is_pure: No clock, no I/O, no SQL: only decisions.
    """

    name: str
    parts: tuple[str, ...]
    meaning: str
    is_pure: bool = False

    def part_of(self, path: str) -> str:
        """Return the part of this row that owns the file, or "" if none does."""
        for part in self.parts:
            for owner in part.split():
                if path == owner or (owner.endswith("/") and path.startswith(owner)):
                    return part
        return ""


LAYERS: Final = (
    Layer(
        "nouns",
        (
            *("errors.py", "error_text.py", "model.py", "clock.py", "numeric.py", "near.py"),
            # What no module names crosses borders too: pools and stores send it alike.
            "bindings.py by_value.py struct_by_value.py parts_by_value.py",
            # Ctrl-C comes to whoever is in the main thread, in pools and stores alike.
            *("uninterrupted.py", "wakening.py"),
        ),
        "What crosses every border, as data",
    ),
    Layer(
        "rules",
        # What follows a failure is one noun: retry.py answers with events of lifecycle.py.
        ("lifecycle.py retry.py", "codec/", "description.py", "tasks.py", "schedule.py"),
        "Decisions: no clock, no I/O, no SQL",
        is_pure=True,
    ),
    Layer("resources", ("pool/", "store/"), "Calls on this machine; jobs in SQL"),
    Layer("reach", ("net/", "sync/"), "A store over HTTP; locks and queues at every reach"),
    Layer("work", ("work/",), "Workers: claim, run, heartbeat, ack; maintenance; supervisor"),
    Layer(
        "face",
        ("durable/ executors.py", "multiprocessing.py", "testing.py"),
        "What a program that uses lightwork holds in its hands",
    ),
    Layer("edges", ("cli/", "dashboard/", "contrib/"), "What a person or another library holds"),
    Layer("doors", ("__init__.py", "__main__.py"), "The ways in: names only, nothing imports them"),
)


def row_of(path: str) -> int:
    """Return the index of the row that owns a file below src/lightwork, or -1."""
    return next((row for row, layer in enumerate(LAYERS) if layer.part_of(path)), -1)


def are_of_one_part(path: str, other: str) -> bool:
    """Whether the two files may import each other."""
    row = row_of(path)
    return row == row_of(other) and LAYERS[row].part_of(path) == LAYERS[row].part_of(other)


def table() -> str:
    """Draw the rows as a Markdown table, for docs/design.md."""
    return "\n".join(_table_lines()) + "\n"


def _table_lines() -> Iterator[str]:
    yield "| row | name | files, below `src/lightwork` | what it is |"
    yield "|---|---|---|---|"
    for number, layer in enumerate(LAYERS, start=1):
        files = " · ".join(f"`{name}`" for part in layer.parts for name in part.split())
        pure = " (pure)" if layer.is_pure else ""
        yield f"| {number} | {layer.name}{pure} | {files} | {layer.meaning} |"


def module_path(module: str, files: frozenset[str]) -> str:
    """Return the file of a dotted name below lightwork, or "" if there is none."""
    package, *rest = module.split(".")
    if package != "lightwork":
        return ""
    stem = str(PurePosixPath(*rest))
    for path in (f"{stem}.py", f"{stem}/__init__.py".removeprefix("./")):
        if path in files:
            return path
    return ""
