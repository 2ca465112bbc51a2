"""Let the tests of other libraries judge lightwork: `make judges`.

    python tests/judges/run.py [NAME ...]

A judge is a module `judge_NAME.py` beside this file. Tests come from the library's source
distribution, which pip downloads; where those take no executor, a small program of ours
(`consumer_NAME.py`) uses the library. Each judge runs in a process of its own, with a time
limit. Prints one line for each, and exits with 1 if a test failed that is not listed as a
deviation, or one passed that is; see strict.py.
"""

import ast
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
# Below .venv: `make clean` removes it, and nothing of others is committed.
SDISTS: Final = ROOT / ".venv" / "judges"
SECONDS: Final = 900
# Longer than any test takes on a busy machine; one that hangs ends here.
SECONDS_PER_TEST: Final = 60
OPTIONS: Final = [
    *("-p", "strict", "-p", "no:randomly", "-p", "no:cacheprovider", "-c", os.devnull),
    *("-q", "--no-header", "-rfE", "--tb=short", "--show-capture=no", "--disable-warnings"),
    f"--timeout={SECONDS_PER_TEST}",
]
MINOR: Final = sys.version_info.minor
# Files beside this one: adapters for the tests of a library, and programs that use one.
ADAPTS: Final = "judge_"
USES: Final = "consumer_"
COLUMNS: Final = ("passed", "failed", "deviations", "skipped")


@dataclass(frozen=True, slots=True)
class Judge:
    """One library whose tests, or use of an executor, are run.

    Attributes:
        name: Of the library.
        adapter: The module that puts lightwork in; "" for a program of ours.
        folder: Where the tests run, below the unpacked source distribution.
        files: Tests, below the folder.
    """

    name: str
    adapter: str
    folder: str
    files: list[str]


def judges() -> dict[str, Judge]:
    """Return all judges by name."""
    found = [Judge(path.stem.removeprefix(USES), "", "", [path.name]) for path in files_of(USES)]
    for path in files_of(ADAPTS):
        about = constants(path)
        name = path.stem.removeprefix(ADAPTS)
        found.append(Judge(name, path.stem, about["FOLDER"].format(minor=MINOR), about["FILES"]))
    return {judge.name: judge for judge in sorted(found, key=attrgetter("name"))}


def files_of(prefix: str) -> Iterator[Path]:
    """Yield the files beside this one whose name begins so."""
    return HERE.glob(f"{prefix}*.py")


def constants(path: Path) -> dict[str, Any]:
    """Return what a judge says of itself, without importing what it judges with."""
    return {
        target.id: ast.literal_eval(node.value)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in {"FOLDER", "FILES"}
    }


def unpacked(name: str) -> Path:
    """Return the folder of the source distribution of the installed version."""
    wanted = f"{name}-{version(name)}"
    folder = SDISTS / wanted
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-qq"]
        options = ["--no-deps", "--no-binary", name, "--dest", str(SDISTS)]
        subprocess.run([*pip, *options, f"{name}=={version(name)}"], check=True)
        with tarfile.open(SDISTS / f"{wanted}.tar.gz") as archive:
            archive.extractall(SDISTS, filter="data")
    return folder


def run(judge: Judge) -> dict[str, int]:
    """Run one judge and return its counts; a run that ends without any has failed."""
    folder = unpacked(judge.name) / judge.folder if judge.adapter else HERE
    counts = SDISTS / f"{judge.name}.json"
    counts.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", *OPTIONS, f"--counts={counts}"]
    command += [f"--judge={judge.adapter}", f"--rootdir={folder}", *judge.files]
    path = os.pathsep.join(map(str, [HERE, HERE.parent / "cpython", folder]))
    status, report = finish(command, folder, {**os.environ, "PYTHONPATH": path})
    if status:
        print(f"--- {judge.name}\n{report}", flush=True)
    seen = json.loads(counts.read_text(encoding="utf-8")) if counts.exists() else {}
    return {**dict.fromkeys(COLUMNS, 0), **seen, "unlisted": int(status != 0)}


def finish(command: list[str], folder: Path, env: dict[str, str]) -> tuple[int, str]:
    """Return exit status and output of a program that has SECONDS to end."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as program:
        try:
            output, _ = program.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            # pytest's faulthandler says where every thread stands.
            program.send_signal(signal.SIGABRT)
            output, _ = program.communicate()
            return 1, f"{output}\nnot done after {SECONDS} s"
        return program.returncode, output


def main() -> int:
    """Run the judges that are asked for, all by default, and print the table."""
    SDISTS.mkdir(parents=True, exist_ok=True)
    rows = {}
    known = judges()
    for name in sys.argv[1:] or known:
        print(f"judging by {name}", file=sys.stderr, flush=True)
        rows[name] = run(known[name])
    print(f"{'judge':14}{'version':>12}", *(f"{column:>11}" for column in COLUMNS), sep="")
    for name, row in rows.items():
        verdict = "  FAILED" if row["unlisted"] else ""
        cells = (f"{row[column]:>11}" for column in COLUMNS)
        print(f"{name:14}{version(name):>12}", *cells, verdict, sep="")
    return any(row["unlisted"] for row in rows.values())


if __name__ == "__main__":
    sys.exit(main())
