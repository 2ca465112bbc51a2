"""Code on disk: whether lightwork's files are still those that this program began with.

When lightwork is upgraded under a program that runs, the program and its fork server go on with
the code that they have in memory, and a child imports what it had not imported yet, which is new:
one process with two versions, of which one asks the other for what that has not got. So

    a program    notes how the files are before it starts its first fork server, and starts no
                 other one after they have changed
    a child      looks at them when a call has made it import more of lightwork, or could not be
                 loaded, before anything of the call has run

and the call is told that the code was replaced, which is nobody's failure: a worker hands its
job back and ends. A child that needs nothing new goes on as it is; one that has imported anything
of the new code runs no call any more.

Files are compared as Python compares them with what it has compiled, by size and time of change.
Looking at all of them takes 1.5 ms, which is why nobody does while nothing is imported. The
child's half must not rely on new imports: half of the new files may be there.
"""

import os
import sys

# The package's; above the parts of this module's name.
_FOLDER = os.path.abspath(__file__)  # noqa: PTH100 - pathlib: 10 ms to import
for _ in __name__.split(".")[1:]:
    _FOLDER = os.path.dirname(_FOLDER)  # noqa: PTH120 - as above
_TEXT = (
    f"lightwork's code ({_FOLDER}) was replaced on disk while this program ran, which has the old "
    "code in memory: start the program again"
)
# What the files were like when this program, or that of this child, started its fork server.
begun_with: list[int] = []


class CodeReplaced(RuntimeError):  # noqa: N818 - as WorkerLost
    """The code was replaced; arrives as PoolError where it is sent to."""

    def __reduce__(self) -> tuple[object, ...]:
        return _pool_error, (_TEXT,)


class OwnImports:
    """What a child has imported of lightwork itself, beside what its fork server had."""

    def __init__(self) -> None:
        # How many modules there were when this looked last; compared before each call.
        self.seen = len(sys.modules)
        self._ours = _count_ours()

    def check(self) -> None:
        """Look at the files if more of lightwork was imported.

        Raises:
            CodeReplaced: They are others now.
        """
        ours = _count_ours()
        if ours != self._ours:
            check_code()
        self.seen, self._ours = len(sys.modules), ours


def check_code() -> None:
    """Note what the files are like, the first time; later see that they still are.

    Raises:
        CodeReplaced: They are others now.
    """
    found = _look()
    if not begun_with:
        begun_with.append(found)
    elif begun_with[0] != found:
        raise CodeReplaced(_TEXT)


def refuse_replaced_code() -> None:
    """As check_code, for the program itself.

    Raises:
        PoolError: They are others now.
    """
    try:
        check_code()
    except CodeReplaced:
        raise _pool_error(_TEXT) from None


def _pool_error(text: str) -> Exception:
    try:
        # No other call of a child needs it.
        from lightwork.errors import PoolError  # noqa: PLC0415 - see above
    except ImportError:
        # Of a child that makes sure that what it sends can be loaded, amid an installation.
        return CodeReplaced(text)
    return PoolError(text)


def _count_ours() -> int:
    return sum([name.startswith("lightwork.") for name in sys.modules.copy()])


def _look() -> int:
    """Return a number that is another one for other files; 0 for code that is in no folder."""
    found, folders = 0, [_FOLDER]
    try:
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.endswith(".py"):
                        status = entry.stat(follow_symlinks=False)
                        # Of numbers: that of a text is another one in each process.
                        found += hash((status.st_mtime_ns, status.st_size))
                    elif "." not in entry.name and entry.name != "__pycache__":
                        folders.append(entry.path)
    except OSError:
        return 0
    return found
