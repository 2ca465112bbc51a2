"""Imported late: modules of the standard library that want to be told of the program's end.

concurrent.futures.thread and .process register what they do at the end when they are
imported. Once the main thread has ended that is refused, and so is their import; but threads of
ours may live on, and need classes that are defined there. What they would do at the end is
about pools of theirs, of which there are none if nobody has imported them before.
"""

import sys
import threading
from importlib import import_module


def import_late(name: str) -> None:
    """Import such a module, also while the program ends."""
    if name in sys.modules or not threading._SHUTTING_DOWN:  # type: ignore[attr-defined]
        import_module(name)
        return
    register = threading._register_atexit  # type: ignore[attr-defined]
    threading._register_atexit = lambda *_args, **_keywords: None  # type: ignore[attr-defined]
    try:
        import_module(name)
    finally:
        threading._register_atexit = register  # type: ignore[attr-defined]
