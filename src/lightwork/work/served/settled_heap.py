"""Settled heap: the collector of cycles leaves alone what a process of ours has begun with.

A worker or a server that has imported all it needs has some hundred thousand objects which stay until it ends. A full
run of the collector through them takes 60 ms on a slow machine, in which no thread of the process does
anything. It comes by itself once enough was made since, so of a quiet system's first thousand jobs some took ten times
as long as the others. What is made later is little, and is collected as ever.

Only where the main thread does nothing else meanwhile: what becomes garbage meanwhile of what was there before, and is part of
a cycle, stays until the end of the block.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def settled_heap() -> Iterator[None]:
    """In the main thread, keep the collector from what is there now; at the end all is as before."""
    is_alone = threading.current_thread() is threading.main_thread()
    if not is_alone or gc.get_freeze_count():
        # Other things go on beside it; or whoever has done so already knows why, and until when.
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
