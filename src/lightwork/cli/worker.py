"""`lightwork worker`: a worker in the foreground, until a signal or (--burst) the end of the work.

Everything that can be wrong is found before the store is opened: a worker that
knows no task would stand there and claim nothing.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import click

from lightwork.cli.options import VERSION, duration, output_options, url_argument
from lightwork.cli.output import note
from lightwork.cli.times import show_duration

if TYPE_CHECKING:
    from lightwork.cli.worker_log import WorkerLog
    from lightwork.work.service import Worker

_MOST_PROCESSES: Final = 1024
_MOST_THREADS: Final = 4096
# Tasks named in the greeting.
_SHOWN: Final = 8


@click.command()
@url_argument
@click.option("-m", "--module", multiple=True, metavar="MODULE", help="Run this module's tasks.")
@click.option(
    "--allow",
    multiple=True,
    metavar="MODULE",
    help="Run plain functions of this module too (and of modules below it that it imports).",
)
@click.option("-q", "--queue", multiple=True, default=["default"], show_default=True,
              metavar="QUEUE", help="Claim from this queue; may be repeated, first comes first.")  # fmt: skip
@click.option("-j", "--processes", type=click.IntRange(1, _MOST_PROCESSES), metavar="N",
              help="Run N jobs at a time, each in a process; default: one a CPU.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1, _MOST_THREADS), metavar="N",
              help="Run N jobs at a time in threads instead.")  # fmt: skip
@click.option("--name", default="", help="What people call this worker; default: host and pid.")
@click.option("--grace", type=duration, default="25s", show_default=True, metavar="TIME",
              help="What running jobs get to finish when it is stopped.")  # fmt: skip
@click.option("--lease", type=duration, default="15s", show_default=True, metavar="TIME",
              help="After so long without a heartbeat others take over its jobs.")  # fmt: skip
@click.option("--burst", is_flag=True, help="End when nothing is ready and nothing runs.")
@click.option("--max-calls", type=click.IntRange(0, 10**9), default=0, metavar="N",
              help="Replace a process after N jobs; 0: never.")  # fmt: skip
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
    name: str,
    grace: float,
    lease: float,
    burst: bool,
    max_calls: int,
    authkey_file: str,
    json: bool,
    quiet: bool,
) -> None:
    """Claim jobs from the store at URL and run them until stopped.

    Modules are looked for in this folder first. Ctrl-C, SIGTERM or a closed terminal lets
    running jobs finish; a second one stops at once. Unfinished jobs are handed back either way.
    """
    place = _place(processes, threads, max_calls)
    if not module and not allow:
        raise click.UsageError(
            "a worker runs only what it is told to: say -m MODULE for the tasks of a "
            "module, or --allow MODULE for plain functions"
        )
    from lightwork.cli.worker_log import WorkerLog
    from lightwork.work.keys import find_authkey
    from lightwork.work.service import Worker

    authkey = find_authkey(file=authkey_file)
    _import_all(module, allow)
    log = WorkerLog(json=json, quiet=quiet)
    log.install()
    found = Worker(
        url,
        executor=place,
        queues=queue,
        modules=module,
        allow=allow,
        authkey=authkey,
        name=name,
        lease=lease,
        grace=grace,
        burst=burst,
        max_calls=max_calls,
        on_recorded=log.note_ends,
    )
    if not quiet:
        _greet(found, log, place=place, allow=allow, grace=grace)
    found.run(ends_program=True)


def _place(processes: int | None, threads: int | None, max_calls: int) -> str:
    if threads is None:
        return f"processes:{processes}" if processes else "processes"
    if processes is not None:
        raise click.UsageError("-j and --threads: say one of them")
    if max_calls:
        raise click.UsageError("--max-calls replaces processes; threads cannot be replaced")
    return f"threads:{threads}"


def _import_all(modules: Iterable[str], allow: Iterable[str]) -> None:
    """Import what a person named, from this folder first.

    Raises:
        UsageError: One cannot be imported, or all of them declare nothing to run.
    """
    from lightwork.cli.modules import import_named
    from lightwork.errors import UsageError
    from lightwork.work.catalog import tasks_of

    found = [import_named(name) for name in modules]
    for name in allow:
        import_named(name)
    if not allow and not any(map(tasks_of, found)):
        raise UsageError(
            f"no task in {', '.join(modules)}: this worker would have nothing to do; declare "
            "functions with @lw.task, or allow plain ones with --allow MODULE"
        )


def _greet(
    worker: "Worker", log: "WorkerLog", *, place: str, allow: tuple[str, ...], grace: float
) -> None:
    from lightwork.pool.choose import count_slots

    kind, slots = place.partition(":")[0], count_slots(place)
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
