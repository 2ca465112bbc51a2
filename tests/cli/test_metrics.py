"""`lightwork metrics`: what Prometheus reads, read by Prometheus' own parser."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from cli.conftest import Invoke
from cli.jobs_made import Made
from lightwork.cli.metrics.exposition import Family, Sample, exposition
from lightwork.cli.status.rates import rates_of
from lightwork.store.contract import Store
from lightwork.store.views import History, Rollup

LABELS = {"queue": "default", "task": "script:square"}


def parsed(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def value_of(family: Metric, suffix: str = "", **labels: str) -> float:
    (found,) = [
        sample.value
        for sample in family.samples
        if sample.name == family.name + suffix and labels.items() <= sample.labels.items()
    ]
    return float(found)


def add(store: Store, measure: str, jobs: int, *, bucket: int = 0, total_ms: int = 0) -> None:
    one = Rollup(
        queue="default",
        task="script:square",
        measure=measure,
        bucket=bucket,
        jobs=jobs,
        total_ms=total_ms,
    )
    store.add_rollups(uuid.uuid4(), [one])


def test_outcomes_are_counters(lightwork: Invoke, store: Store) -> None:
    add(store, "succeeded", 7)
    add(store, "failed", 2)

    found = parsed(lightwork("metrics").stdout)["lightwork_jobs"]

    assert found.type == "counter"
    assert value_of(found, "_total", outcome="succeeded", **LABELS) == 7
    assert value_of(found, "_total", outcome="failed", **LABELS) == 2


def test_durations_are_histograms_in_seconds(lightwork: Invoke, store: Store) -> None:
    add(store, "run", 3, bucket=3, total_ms=20)
    add(store, "run", 1, bucket=10, total_ms=900)

    found = parsed(lightwork("metrics").stdout)["lightwork_job_run_seconds"]

    assert found.type == "histogram"
    assert value_of(found, "_bucket", le="0.004", **LABELS) == 0
    assert value_of(found, "_bucket", le="0.016", **LABELS) == 3
    assert value_of(found, "_bucket", le="1.024", **LABELS) == 4
    assert value_of(found, "_bucket", le="+Inf", **LABELS) == 4
    assert value_of(found, "_count", **LABELS) == 4
    assert value_of(found, "_sum", **LABELS) == pytest.approx(0.92)


def test_depths_and_workers_are_gauges(lightwork: Invoke, made: Made) -> None:
    made.ready()
    made.ready()
    made.retried()
    made.worker(slots=4)

    found = parsed(lightwork("metrics").stdout)

    depth = found["lightwork_queue_jobs"]
    assert depth.type == "gauge"
    assert value_of(depth, queue="default", state="ready") == 2
    assert value_of(depth, queue="default", state="scheduled") == 1
    assert value_of(found["lightwork_queue_oldest_seconds"], queue="default") >= 0
    slots = found["lightwork_worker_slots"].samples
    assert {sample.value for sample in slots if sample.labels["state"] == "free"} >= {4}
    assert value_of(found["lightwork_info"], database="sqlite") == 1


def test_a_paused_queue_is_told(lightwork: Invoke, store: Store, made: Made) -> None:
    made.ready()
    lightwork("queues", "pause", "default")

    found = parsed(lightwork("metrics").stdout)

    assert value_of(found["lightwork_queue_paused"], queue="default") == 1


@pytest.mark.parametrize(
    ("odd", "shown"),
    [
        ('a"b', 'a"b'),
        ("back\\slash", "back\\slash"),
        ("two\nlines", "two\nlines"),
        ("lone \ud800", "lone \\ud800"),
        ("täsk", "täsk"),
        ("\x1b[2J gone", "\\x1b[2J gone"),
        ("one\rother\u2028third\0", "one\\rother\\u2028third\\x00"),
    ],
)
def test_a_name_may_hold_anything(odd: str, shown: str) -> None:
    family = Family(
        "lightwork_test", "gauge", "Help with \\ and\nlines.", [Sample({"task": odd}, 1)]
    )

    found = parsed(exposition([family]))["lightwork_test"]

    assert [sample.labels for sample in found.samples] == [{"task": shown}]


def test_every_family_says_what_it_is(lightwork: Invoke, store: Store, made: Made) -> None:
    made.ready()
    add(store, "wait", 1, bucket=2, total_ms=3)

    families = parsed(lightwork("metrics").stdout).values()

    assert all(family.documentation for family in families)
    assert all(family.name.startswith("lightwork_") for family in families)


def test_an_empty_store_has_few_metrics_and_is_no_error(lightwork: Invoke, store: Store) -> None:
    done = lightwork("metrics")

    assert done.exit_code == 0
    assert {"lightwork_info", "lightwork_workers"} == set(parsed(done.stdout))


def test_json_is_an_object_a_sample_and_quiet_is_silent(lightwork: Invoke, store: Store) -> None:
    add(store, "succeeded", 7)

    lines = lightwork("metrics", "--json").stdout.splitlines()

    samples = {one["name"]: one for one in map(json.loads, lines)}
    assert samples["lightwork_jobs_total"]["value"] == 7
    assert samples["lightwork_jobs_total"]["labels"] == {**LABELS, "outcome": "succeeded"}
    assert lightwork("metrics", "--quiet").stdout == ""


def test_a_store_that_is_not_there_is_an_error(lightwork: Invoke) -> None:
    assert lightwork("metrics", "sqlite:///nowhere.db").exit_code == 3


# Rates, as `lightwork status` shows them.


def test_status_shows_rates(lightwork: Invoke, store: Store) -> None:
    add(store, "succeeded", 500)
    add(store, "failed", 20)
    add(store, "run", 520, bucket=7, total_ms=5000)

    shown = lightwork("status").stdout
    rates = json.loads(lightwork("status", "--json").stdout)["rates"]

    assert "jobs a minute" in shown
    assert rates["done"] == pytest.approx(rates["failed"] * 26, rel=0.01)
    assert 0.064 <= rates["run_p50"] <= rates["run_p95"] <= 0.128


def test_a_store_that_nobody_worked_in_shows_no_rates(lightwork: Invoke, store: Store) -> None:
    assert "a minute" not in lightwork("status").stdout


def test_a_rate_counts_from_the_first_minute_in_which_something_happened() -> None:
    def done(minute: int) -> Rollup:
        return Rollup(queue="q", task="m:f", measure="succeeded", minute=minute, jobs=60)

    until = datetime.fromtimestamp(100 * 60 + 30, UTC)

    assert rates_of(History(until=until, rollups=(done(100),))).done == 120
    assert rates_of(History(until=until, rollups=(done(97), done(99)))).done == pytest.approx(34.29)
    assert rates_of(History(until=until, rollups=())).done == 0
