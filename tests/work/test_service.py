"""Service: how signals reach a worker that a program runs."""

import os
import signal

from lightwork.work.service import _signal_pipe


def test_a_full_pipe_of_signals_loses_no_more_than_words() -> None:
    with _signal_pipe(ignored_later=False) as (events, tell):
        for _ in range(1 << 17):
            tell(signal.SIGTERM)

        assert set(os.read(events, 1 << 17)) == {int(signal.SIGTERM)}
