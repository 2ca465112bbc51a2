"""Program: how whoever started this program would start it again."""

import shlex
import shutil
import sys
from pathlib import Path


def program_words() -> str:
    """Return what stands before the verb: `lightwork`, or where it is if it is not on the path."""
    started = Path(sys.argv[0])
    if started.name != "lightwork":
        # python -m lightwork, or a program that calls a verb.
        return f"{shlex.quote(_shortest(Path(sys.executable)))} -m lightwork"
    found = shutil.which("lightwork")
    if found and Path(found).resolve() == started.resolve():
        return "lightwork"
    return shlex.quote(_shortest(started.absolute()))


def _shortest(path: Path) -> str:
    # Not resolved: the python of an environment is a link out of it.
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
