"""Foreign engines: calls on a Dask cluster beside Dask's own client; scikit-learn beside loky.

Dask: one local cluster with two workers of a thread each serves both sides, and both are given
no-ops one by one; its own client gets fewer, which a rate does not notice. Reading is
included: `gather` there, `result` of each future here.

scikit-learn: fits that call `joblib.Parallel`, by both back ends in turns; what each fit is stands
in FITS. The first round, which starts children and imports, is not counted.

Medians. What is not installed is left out, and said.
"""

import argparse
import operator
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import lightwork as lw
from lightwork.contrib.joblib import register

Measured = Callable[[], float]


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turns(sides: dict[str, Measured], rounds: int) -> dict[str, list[float]]:
    """Return what each side measured in each round but the first."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, side in sides.items():
            found[name].append(side())
    return {name: seconds[1:] for name, seconds in found.items()}


def is_there(*names: str) -> bool:
    """Say which version of each there is; if one is missing, that this part is left out."""
    try:
        print(*(f"{name} {version(name)}" for name in names), sep=" · ")
    except PackageNotFoundError as missing:
        print(f"{missing}; left out")
        return False
    return True


def bench_dask(calls: int, rounds: int) -> None:
    from distributed import Client, LocalCluster

    def theirs(client: Any, count: int) -> float:
        def work() -> None:
            many = [client.submit(operator.add, n, 1, pure=False) for n in range(count)]
            assert sum(client.gather(many)) == count * (count + 1) // 2

        return count / timed(work)

    def ours(executor: lw.Executor) -> float:
        def work() -> None:
            many = [executor.submit(operator.add, n, 1) for n in range(calls)]
            assert sum(one.result() for one in many) == calls * (calls + 1) // 2

        return calls / timed(work)

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
        lw.executor(cluster.scheduler_address.replace("tcp://", "dask://")) as executor,
    ):
        sides: dict[str, Measured] = {
            "Client.submit, gather": lambda: theirs(client, max(calls // 20, 1)),
            'lw.executor("dask://...")': lambda: ours(executor),
        }
        rates = in_turns(sides, rounds)
    print(f"{'no-op submit + result':32}{'calls/s':>10}{'slowest':>10}")
    for name, found in rates.items():
        print(f"{name:32}{statistics.median(found):10,.0f}{min(found):10,.0f}")
    theirs_median, ours_median = map(statistics.median, rates.values())
    print(f"{'ratio':32}{ours_median / theirs_median:9.1f}x")


def fits() -> dict[str, Callable[[], object]]:
    """Return fits by what they are."""
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score

    small = make_classification(2_000, 20, random_state=0)
    large = make_classification(60_000, 100, random_state=0)
    search = GridSearchCV(
        LogisticRegression(max_iter=200), {"C": [10.0**n for n in range(-9, 11)]}, n_jobs=2
    )
    forest = RandomForestClassifier(100, n_jobs=2, random_state=0)
    model = LogisticRegression(max_iter=5)
    return {
        "grid search, 100 short fits": lambda: search.fit(*small),
        "random forest, 100 trees": lambda: forest.fit(*small),
        "cross validation, 48 MB": lambda: cross_val_score(model, *large, cv=10, n_jobs=2),
    }


def bench_sklearn(rounds: int) -> None:
    import joblib

    register()
    print(f"{'seconds':32}{'loky':>10}{'lightwork':>10}{'ratio':>10}")
    for name, fit in fits().items():

        def run(backend: str, fit: Callable[[], object] = fit) -> float:
            with joblib.parallel_config(backend=backend):
                return timed(fit)

        sides: dict[str, Measured] = {
            "loky": lambda run=run: run("loky"),  # type: ignore[misc]
            "lightwork": lambda run=run: run("lightwork"),  # type: ignore[misc]
        }
        loky, ours = map(statistics.median, in_turns(sides, rounds).values())
        print(f"{name:32}{loky:10.3f}{ours:10.3f}{loky / ours:9.2f}x")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure lightwork beside and behind others.")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--calls", type=int, default=20_000, help="calls per round on Dask")
    options = parser.parse_args()
    if min(options.rounds, options.calls) < 1:
        parser.error("expected at least 1 round and call")
    # Fits that stop early say so; children inherit the variable.
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"
    print(f"python {platform.python_version()} · rounds {options.rounds}")
    if is_there("distributed"):
        bench_dask(options.calls, options.rounds)
    if is_there("joblib", "scikit-learn"):
        bench_sklearn(options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
