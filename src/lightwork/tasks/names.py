"""Task names: how a store calls a task, and how people do.

`module:function`, and for a task of `__main__` also where it comes from:
`script:square@/home/ada/script.py`, or `__main__:square@session-4f0c...` where there
is no file (a REPL, a notebook, `-c`). Two scripts of one name, or two sessions, on
one store are two programs: neither may answer for the other. People see and type
`script:square`. What was started with `python -m package.module` is named like any
module: that is how everybody else can import it.
"""

import hashlib
import sys
import unicodedata
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

# The second is what `spawn` calls the main script in its children.
_MAIN: Final = ("__main__", "__mp_main__")
_SESSION_WORD: Final = "session-"
_SESSION: Final = _SESSION_WORD + uuid.uuid4().hex[:16]
# What a store keeps.
LONGEST_NAME: Final = 500
# Control characters, surrogates, and what else ends a line.
_ODD: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


def task_name(fn: Callable[..., Any]) -> str:
    """Return `module:function`, and for a function of `__main__` also `@` its origin."""
    module = getattr(fn, "__module__", None) or type(fn).__module__
    qualname = getattr(fn, "__qualname__", None) or type(fn).__qualname__
    if module not in _MAIN:
        return f"{module}:{qualname}"
    name, origin = f"{main_module_name()}:{qualname}", main_origin()
    if len(name) + len(origin) >= LONGEST_NAME or is_odd(origin):
        origin = hashlib.sha256(origin.encode(errors="surrogateescape")).hexdigest()
    return f"{name}@{origin}" if origin else name


def is_odd(name: str) -> bool:
    """Whether a name has what breaks lines, or what not every database keeps, or tells apart.

    That is NUL, half of a surrogate pair, and a space at an end: to MariaDB `mail ` is `mail`.
    """
    if name != name.strip():
        return True
    return not name.isprintable() and any(unicodedata.category(letter) in _ODD for letter in name)


def short_name(name: str) -> str:
    """Return a task's name as people see and type it: without its origin."""
    module, colon, rest = name.partition(":")
    return f"{module}{colon}{rest.partition('@')[0]}"


def origin_of(name: str) -> str:
    """Return the script or session in a task's name; "" for tasks of modules."""
    return name.partition(":")[2].partition("@")[2]


def is_of_session(name: str) -> bool:
    """Whether the task came from a `__main__` without a file."""
    return origin_of(name).startswith(_SESSION_WORD)


def main_module_name() -> str:
    """Return the name under which the main script could be imported; `__main__` if none."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    path = getattr(main, "__file__", None)
    return Path(path).stem if path else "__main__"


def main_origin() -> str:
    """Return what tells this `__main__` from others: its file, or a random word; "" for `-m`."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    # Of a folder or an archive that is run, every one is called `__main__`.
    if spec is not None and spec.name != "__main__":
        return ""
    path = getattr(main, "__file__", None)
    return str(Path(path).resolve()) if path else _SESSION


def is_of_main(name: str) -> bool:
    """Whether the task is one of this very program's `__main__`, which has an origin."""
    origin = main_origin()
    return bool(origin) and origin_of(name) == origin and name.startswith(f"{main_module_name()}:")
