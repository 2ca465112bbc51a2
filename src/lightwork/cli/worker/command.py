"""`lightwork worker`: a worker in the foreground, until a signal or (--burst) the end of the work.

Everything that can be wrong is found before the store is opened: a worker that
knows no task would stand there and claim nothing.
"""

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import click

from lightwork.terminal.amounts import show_duration
from lightwork.terminal.options import VERSION, duration, output_options, retention, url_argument
from lightwork.terminal.output import note

if TYPE_CHECKING:
    from lightwork.cli.worker.log import WorkerLog
    from lightwork.work.service import Worker

_MOST_PROCESSES: Final = 1024
_MOST_THREADS: Final = 4096
_MOST_CALLS: Final = 100_000
# Tasks named in the greeting.
_SHOWN: Final = 8


@click.command()
@url_argument
@click.option("-m", "--module", multiple=True, metavar="MODULE", help="Run this module's tasks.")
@click.option("--allow", multiple=True, metavar="MODULE",
              help="Run plain functions of this module too (and of modules below it that it imports).")  # fmt: skip
@click.option("-q", "--queue", multiple=True, default=["default"], show_default=True,
              metavar="QUEUE[=WEIGHT]",
              help="Claim from this queue; may be repeated: the first comes first, or with weights (critical=5) each gets its share.")  # fmt: skip
@click.option("-j", "--processes", type=click.IntRange(1, _MOST_PROCESSES), metavar="N",
              help="Run N jobs at a time, each in a process; default: one a CPU.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1, _MOST_THREADS), metavar="N",
              help="Run N jobs at a time in threads instead.")  # fmt: skip
@click.option("--async", "async_calls", type=click.IntRange(1, _MOST_CALLS), metavar="N",
              help="Run N jobs of async def tasks at a time, on one event loop, and no others.")  # fmt: skip
@click.option("--allow-commands", is_flag=True,
              help="Run programs too (jobs of lw.Command): whoever may submit jobs says which.")  # fmt: skip
@click.option("--name", default="", help="What people call this worker; default: host and pid.")
@click.option("--grace", type=duration, default="25s", show_default=True, metavar="TIME",
              help="What running jobs get to finish when it is stopped.")  # fmt: skip
@click.option("--lease", type=duration, default="15s", show_default=True, metavar="TIME",
              help="After so long without a heartbeat others take over its jobs.")  # fmt: skip
@click.option("--keep", type=retention, default="succeeded=7d,failed=30d,cancelled=7d",
              show_default=True, metavar="TIMES",
              help="Delete jobs of the store that ended longer ago: 30d, forever, or by state.")  # fmt: skip
@click.option("--burst", is_flag=True, help="End when nothing is ready and nothing runs.")
@click.option("--max-calls", type=click.IntRange(0, 10**9), default=0, metavar="N",
              help="Replace a process after N jobs; 0: never.")  # fmt: skip
@click.option("--max-memory", default="", metavar="SIZE",
              help="Replace a process after the job that left it with more: 512M.")  # fmt: skip
@click.option("--memory-errors", is_flag=True,
              help="Beyond its max_memory a task gets MemoryError, and its process lives on.")  # fmt: skip
@click.option("--show-output", is_flag=True,
              help="Begin each line that jobs write with the names of process and task.")  # fmt: skip
@click.option("--middleware", multiple=True, metavar="MODULE:FUNCTION",
              help="Run each attempt in the context manager that this returns; first is outermost.")  # fmt: skip
@click.option("--authkey-file", default="", metavar="FILE", envvar="LIGHTWORK_AUTHKEY_FILE",
              help="Key that signs pickles (mode 0600); default: LIGHTWORK_AUTHKEY.")  # fmt: skip
@output_options
def worker(
    *,
    url: str,
    module: tuple[str, ...],
    allow: tuple[str, ...],
    queue: tuple[str, ...],
    processes: int | None,
    threads: int | None,
    async_calls: int | None,
    show_output: bool,
    middleware: tuple[str, ...],
    authkey_file: str,
    json: bool,
    quiet: bool,
    **said: Any,
) -> None:
    """Claim jobs from the store at URL and run them until stopped.

    Modules are looked for in this folder first. Ctrl-C, SIGTERM or a closed terminal lets
    running jobs finish; a second one stops at once. Unfinished jobs are handed back either way,
    if the store is there: else they are others' when the lease is over, and the status is 3.
    """
    place = _place(processes, threads, async_calls, said["max_calls"])
    if not module and not allow and not said["allow_commands"]:
        raise click.UsageError(
            "a worker runs only what it is told to: say -m MODULE for the tasks of a "
            "module, --allow MODULE for plain functions, or --allow-commands for programs"
        )
    from lightwork.cli.worker.log import WorkerLog
    from lightwork.net.keys.finding import find_authkey
    from lightwork.terminal.modules import find_function
    from lightwork.work.service import Worker

    authkey = find_authkey(file=authkey_file)
    _import_all(module, allow, is_async=async_calls is not None)
    log = WorkerLog(json=json, quiet=quiet)
    log.install()
    found = Worker(
        url,
        executor=place,
        queues=_weighed(queue),
        modules=module,
        allow=allow,
        authkey=authkey,
        async_calls=async_calls or 0,
        output="show" if show_output else None,
        middleware=[find_function(name) for name in middleware],
        **said,
    )
    if not quiet:
        kind = "coroutines" if async_calls else place
        _greet(found, log, place=kind, allow=allow, grace=said["grace"])
    _run(found)


def _run(worker: "Worker") -> None:
    from lightwork.work.service import WorkerStuck

    try:
        worker.run(ends_program=True)
    except WorkerStuck as error:
        note(f"lightwork: {error}")
        # Its threads hang, and the interpreter would wait for them.
        sys.stdout.flush()
        os._exit(1)


def _place(
    processes: int | None, threads: int | None, async_calls: int | None, max_calls: int
) -> str:
    if len([said for said in (processes, threads, async_calls) if said is not None]) > 1:
        raise click.UsageError("-j, --threads and --async: say one of them")
    if async_calls is not None:
        return "processes:1"
    if threads is None:
        return f"processes:{processes}" if processes else "processes"
    if max_calls:
        raise click.UsageError("--max-calls replaces processes; threads cannot be replaced")
    return f"threads:{threads}"


def _weighed(queues: tuple[str, ...]) -> "tuple[str, ...] | dict[str, float]":
    """Return the queues, with their weights if any has one: those without have 1."""
    found: dict[str, float] = {}
    for word in queues:
        name, sign, weight = word.rpartition("=")
        if not sign:
            found[word] = 1.0
            continue
        try:
            found[name] = float(weight)
        except ValueError as error:
            raise click.UsageError(
                f"-q {word}: the weight of a queue is a number; expected QUEUE=5"
            ) from error
    return found if any("=" in word for word in queues) else queues


def _import_all(modules: Iterable[str], allow: Iterable[str], *, is_async: bool) -> None:
    """Import what a person named, from this folder first.

    Raises:
        UsageError: One cannot be imported, or all of them declare nothing to run.
    """
    from lightwork.errors import UsageError
    from lightwork.pool.call.coroutine_function import is_coroutine_function
    from lightwork.terminal.modules import import_named
    from lightwork.work.catalog import tasks_of

    found = [import_named(name) for name in modules]
    for name in allow:
        import_named(name)
    tasks = [task for module in found for task in tasks_of(module).values()]
    if tasks and is_async and not any(map(is_coroutine_function, tasks)):
        raise UsageError(
            f"no async def task in {', '.join(modules)}, and --async runs no others; say -j or "
            "--threads for plain functions"
        )
    if modules and not allow and not tasks:
        raise UsageError(
            f"no task in {', '.join(modules)}: this worker would have nothing to do; declare "
            "functions with @lw.task, or allow plain ones with --allow MODULE"
        )


def _greet(
    worker: "Worker", log: "WorkerLog", *, place: str, allow: tuple[str, ...], grace: float
) -> None:
    kind, slots = place.partition(":")[0], worker.slots
    if log.json:
        log.write_json(
            level="info",
            event="worker_starting",
            version=VERSION,
            store=worker.store.safe_url,
            slots=slots,
            kind=kind,
            queues=worker.queues,
            tasks=worker.catalog.names,
            allow=allow,
        )
        return
    names = worker.catalog.names + [f"{module}:*" for module in allow]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    note(f"lightwork {VERSION} worker")
    note(f"  store   {worker.store.safe_url}")
    note(f"  slots   {slots} {kind}")
    note(f"  queues  {', '.join(worker.queues)}")
    note(f"  tasks   {', '.join(names[:_SHOWN])}{more}")
    note(f"  stop    Ctrl-C or SIGTERM: running jobs get {show_duration(grace)}; again: at once")
