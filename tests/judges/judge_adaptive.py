"""adaptive's runner, whose tests take their executors from `concurrent.futures`."""

from concurrent import futures

import adaptive.runner

from lightwork.pool.process.executor import ProcessExecutor

FOLDER = "."
FILES = ["adaptive/tests/test_runner.py"]
LEFT_OUT: dict[str, str] = {}
DEVIATIONS: dict[str, str] = {}


def adapt() -> None:
    """Put ours where adaptive and its tests look; it asks for the class."""
    futures.ProcessPoolExecutor = ProcessExecutor  # type: ignore[misc, assignment]
    adaptive.runner._default_executor = lambda *_args, **_kwargs: ProcessExecutor(2)
