"""Everything at once: jobs are submitted and run while whatever may go wrong goes wrong.

`make chaos JOBS=1000000` is the long form; JOBS is what two submitters submit for each database.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chaos.checker import check
from chaos.world import ServeProcess, World
from lightwork.store.sqlstore import SqlStore
from store.private_servers import PrivateServer
from store.proxy import proxy
from waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.process]

JOBS = int(os.environ.get("LIGHTWORK_CHAOS_JOBS", "200"))
# Without a fault: for the submitters' last jobs, and until another job ends. Not for all of them: half take a
# fifth of a second, four at a time, so 20,000 take ten minutes and on a busy machine as long as that.
PATIENCE = 120


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "http"])
def world(
    request: pytest.FixtureRequest, tmp_path: Path, private: Callable[[str], PrivateServer]
) -> Iterator[World]:
    with ExitStack() as undo:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path}/work.db"
            SqlStore(url).close()
            made = World(url, tmp_path, JOBS)
        elif request.param == "http":
            url = f"sqlite:///{tmp_path}/work.db"
            offered = ServeProcess(url, tmp_path)
            between = undo.enter_context(proxy(offered.url))
            made = World(url, tmp_path, JOBS, proxy=between, offered=offered)
        else:
            server = private(request.param)
            url = undo.enter_context(server.database())
            SqlStore(url).close()
            between = undo.enter_context(proxy(url))
            made = World(url, tmp_path, JOBS, server=server, proxy=between)
        undo.callback(made.close)
        yield made


@pytest.mark.parametrize("seed", [random.randrange(10**6)])
def test_whatever_happens_every_job_that_was_kept_has_one_outcome(
    world: World, tmp_path: Path, seed: int
) -> None:
    random.seed(seed)
    faults = world.faults()
    happened = 0

    # A round of each fault; the long form goes on as long as there is somebody to submit.
    while happened < len(faults) or (JOBS > 1000 and not world.are_all_submitted()):
        if happened % len(faults) == 0:
            random.shuffle(faults)
        faults[happened % len(faults)]()
        happened += 1
        world.tend()
        # At any moment of whoever is hit.
        # Work goes on between two faults, for a while that no run repeats.
        time.sleep(random.uniform(0.05, 0.5))
    wait_until(world.are_all_submitted, "the end of the submitters", within=PATIENCE)
    world.wait_until_quiet(PATIENCE)
    world.close()

    report = check(world.url, tmp_path)
    print(f"{world.url.partition(':')[0]}: faults={happened} {report}")
    assert report.wrong == []
    assert world.wrong == []
    with SqlStore(world.url) as store:
        assert store.check() == []
    assert "Traceback" not in world.said(), world.said()
    assert report.counts["kept"] > 0
