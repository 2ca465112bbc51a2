"""Recording: what one thread asks and is told, in a file of its own that survives a SIGKILL.

A line when a call begins and one when it has ended, each written before anything else is done. A call whose second line is
missing has no end; nor has one that raised: what came of it is not known.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from lightwork.errors import LockLost, StoreUnavailable
from sync.histories.linearizable import UNKNOWN, Operation
from sync.histories.many import refs_got, taken_apart
from sync.histories.models import MODELS, is_read, lives_in_broker
from sync.histories.queue_model import LOST

_GIVING_BACK: Final = ("release", "ack", "nack")


class Recorder:
    """Writes what one thread does.

    Args:
        folder: Where the files of one run are.
        caller: A process and its thread: "3.0".
    """

    def __init__(self, folder: Path, caller: str) -> None:
        self._file = os.open(folder / f"{caller}.history", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._caller = caller
        self._count = 0
        # Whether the host was out of reach; for who waits until it is not.
        self.is_cut_off = False

    def call(self, key: str, verb: str, act: Callable[[], Any], *args: Any) -> tuple[str, Any]:
        """Call and record; return the operation's id, and the answer, UNKNOWN if there is none."""
        self._count += 1
        one = f"{self._caller}#{self._count}"
        self._write(["begin", one, time.monotonic_ns(), key, verb, args])
        try:
            answer = act()
        except LockLost:
            # Whoever wants to give back is told so by the host; else it cannot be known what has come of it.
            answer = LOST if verb in _GIVING_BACK else UNKNOWN
        except StoreUnavailable:
            answer, self.is_cut_off = UNKNOWN, True
        if answer != UNKNOWN:
            self._write(["end", one, time.monotonic_ns(), answer])
        return one, answer

    def _write(self, line: list[Any]) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


def read_history(
    folder: Path, killed: dict[str, int], broker_deaths: list[tuple[int, int]]
) -> dict[str, list[Operation]]:
    """Return what was done, by key, with what nobody asked for.

    Args:
        folder: That of the recorders.
        killed: When which process was about to be killed.
        broker_deaths: When the broker was about to be killed, and when it was dead.
    """
    found: dict[str, list[Operation]] = {key: [] for key in MODELS}
    for file in sorted(folder.glob("*.history")):
        asked = [*_operations(file)]
        death = killed.get(file.name.partition(".")[0], math.inf)
        for one in (*asked, *_losses(asked, death)):
            for key in ("dict a", "dict b") if one.key == "dict" else (one.key,):
                found.setdefault(key, []).append(one)
    for key in filter(lives_in_broker, found):
        for number, (begin, end) in enumerate(broker_deaths):
            found[key].append(Operation(f"broker#{number}", key, "reset", (), True, begin, end))
    return found


def _operations(file: Path) -> Iterator[Operation]:
    begun: dict[str, list[Any]] = {}
    for line in file.read_text().splitlines():
        kind, one, at, *rest = json.loads(line)
        if kind == "begin":
            begun[one] = [at, *rest]
        else:
            begin, key, verb, args = begun.pop(one)
            answer = tuple(rest[0]) if isinstance(rest[0], list) else rest[0]
            whole = Operation(one, key, verb, tuple(args), answer, begin, at, is_read(verb, answer))
            yield from taken_apart(whole)
    for one, (begin, key, verb, args) in begun.items():
        yield from taken_apart(Operation(one, key, verb, tuple(args), UNKNOWN, begin))


def _losses(asked: list[Operation], death: float) -> Iterator[Operation]:
    """Yield that what was got and not given back is lost some day."""
    given_back = {ref: one for one in asked if one.verb in _GIVING_BACK for ref in one.args}
    last = max((one.begin for one in asked), default=0)
    for one in asked:
        for ref in refs_got(one):
            back = given_back.get(ref)
            if back is not None and back.answer is True:
                continue
            # Of what ended with its process, not before that; of what it has outlived, at any time.
            ended_with_it = back is None if not one.is_open else one.begin == last
            if back is not None and back.is_open:
                ended_with_it = back.begin == last
            since = max(one.begin, death) if ended_with_it and death < math.inf else one.begin
            yield Operation(f"{ref} lost", one.key, "lost", (ref,), UNKNOWN, since)
