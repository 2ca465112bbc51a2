"""Layers: the order in which the files of lightwork may know each other.

The one place that says it: tests/test_layers.py enforces it, docs/build.py
prints it into docs/design.md. A file imports only from rows above its own.
Files of one part (a folder, or the files of one part's text) may import each
other, without a cycle; parts of one row do not know each other.
"""

from collections.abc import Iterator, Mapping
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
            "imported_late.py error_roots.py late_errors.py errors.py numeric.py callables.py model.py events/",
            *("error_text.py", "clock.py"),
            # What no module names crosses borders too: pools and stores send it alike.
            "by_value/",
            # Ctrl-C comes to whoever is in the main thread, in pools and stores alike.
            "locks/",
        ),
        "What crosses every border, as data",
    ),
    Layer(
        "rules",
        # What follows a failure is one noun: retry.py answers with events of lifecycle.py. And a
        # task has its schedule.
        (
            "lifecycle.py retry.py",
            "codec/",
            "error_info.py",
            "tasks/ bounds/ schedule/",
            "histogram.py",
            "machines/",
        ),
        "Decisions: no clock, no I/O, no SQL",
        is_pure=True,
    ),
    Layer("resources", ("pool/", "store/"), "Calls on this machine; jobs in SQL"),
    Layer(
        "reach",
        ("command/", "net/", "dask/"),
        "Programs as calls; a store over HTTP; calls on a Dask cluster",
    ),
    Layer("sharing", ("sync/",), "Locks, queues and shared values at every reach"),
    Layer("work", ("work/",), "Workers: claim, run, heartbeat, ack; maintenance; supervisor"),
    Layer(
        "face",
        ("durable/ executors.py", "testing.py"),
        "What a program that uses lightwork holds in its hands",
    ),
    Layer("names", ("multiprocessing/",), "The same, by the standard library's names"),
    Layer("terminal", ("terminal/",), "What people type and read, the same at every verb"),
    Layer("programs", ("demo/", "parallel/", "tune/"), "Verbs that are programs of their own"),
    Layer("edges", ("cli/", "dashboard/", "contrib/"), "What a person or another library holds"),
    Layer("doors", ("__init__.py", "__main__.py"), "The ways in: names only, nothing imports them"),
)

# Rooms: the order of the folders inside of a part. A file imports from its own folder and
# from those of rows above; folders of one row do not know each other. "." is what lies in
# the part itself, apart from files that are named here: each of these is a room of its own.
ROOMS: Final[Mapping[str, tuple[str, ...]]] = {
    "pool/": ("call memory", "wire", "map", "executor", "child", "link", "process thread", "."),
    "net/": ("keys", "wire", "server client", "."),
    "sync/": ("host.py runtime_folder.py", "arena", "asked.py", "ring", "local broker stored", "."),
    "cli/": ("db doctor jobs metrics status worker", "schedules serve", "."),
    "store/": (
        "urls.py views.py histogram.py",
        "contracts",
        "contract.py",
        "tables",
        "sql",
        "operations sqlite server migrations",
        "admin schedules primitives postgresql mariadb",
        ".",
    ),
}
MAX_FOLDER_FILES: Final = 16


def room_of(path: str) -> tuple[str, int, str]:
    """Return the part, the row inside of it and the folder of a file; "", -1, "" if it has none."""
    for part, rows in ROOMS.items():
        if path.startswith(part):
            folder = str(PurePosixPath(path.removeprefix(part)).parts[0])
            if folder.endswith(".py") and folder not in " ".join(rows).split():
                folder = "."
            row = next((n for n, names in enumerate(rows) if folder in names.split()), -1)
            return part, row, folder
    return "", -1, ""


def row_of(path: str) -> int:
    """Return the index of the row that owns a file below src/lightwork, or -1."""
    return next((row for row, layer in enumerate(LAYERS) if layer.part_of(path)), -1)


def are_of_one_part(path: str, other: str) -> bool:
    """Whether the two files may import each other."""
    row = row_of(path)
    return row == row_of(other) and LAYERS[row].part_of(path) == LAYERS[row].part_of(other)


def table(files: frozenset[str]) -> str:
    """Draw the rows as a Markdown table, for docs/design.md; `files` are those that there are."""
    return "\n".join(_table_lines(files)) + "\n"


def _table_lines(files: frozenset[str]) -> Iterator[str]:
    yield "| row | name | files, below `src/lightwork` | what it is |"
    yield "|---|---|---|---|"
    for number, layer in enumerate(LAYERS, start=1):
        names = [name for part in layer.parts for name in part.split()]
        made = [name for name in names if any(file.startswith(name) for file in files)]
        planned = [name for name in names if name not in made]
        shown = " · ".join(f"`{name}`" for name in made)
        if planned:
            later = "planned: " + " · ".join(f"`{name}`" for name in planned)
            shown = f"{shown}; {later}" if shown else later
        pure = " (pure)" if layer.is_pure else ""
        yield f"| {number} | {layer.name}{pure} | {shown} | {layer.meaning} |"


def rooms_table(part: str, headers: Mapping[str, str]) -> str:
    """Draw the rooms of a part as a Markdown table.

    Args:
        part: One that has rooms.
        headers: By room: the first line of the file, or of the folder's `__init__.py`. A room
            that has none is planned, and not shown.
    """
    lines = ["| row | room | what it is |", "|---|---|---|"]
    for number, names in enumerate(ROOMS[part], start=1):
        for name in names.split():
            if f"{part}{name}" in headers:
                meaning = headers[f"{part}{name}"].partition(": ")[2]
                shown = f"{part}{name}" if name.endswith(".py") else f"{part}{name}/"
                lines.append(f"| {number} | `{shown}` | {meaning[0].upper()}{meaning[1:]} |")
    return "\n".join(lines) + "\n"


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
