"""A pytest plugin: run tests of others under a judge's adapter, deviations strictly.

`pytest -p strict --judge=judge_loky`. A judge is a module beside this one with

- `adapt()`: puts lightwork where the tests look for what they test; called before they are loaded;
- `DEVIATIONS`: a pattern that finds one test's name, or several, to the reason why lightwork does
  otherwise. Each must fail: one that passes fails the run, and so does a pattern that finds none;
- `LEFT_OUT`: the same for tests that judge something else than an executor. They do not run,
  nor do those whose name lacks `ONLY`, where a judge has that.

A name is what follows the file in a test's id: `TestWait.test_timeout[1]`.
"""

import json
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--judge",
        help="module beside this one that says what is judged, and how; none: no deviations",
    )
    parser.addoption("--counts", help="file to write the counts to, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    if name := config.getoption("--judge"):
        judge = import_module(name)
        config.stash[_JUDGE] = Judge(judge.DEVIATIONS, judge.LEFT_OUT, getattr(judge, "ONLY", ""))
        judge.adapt()
    else:
        config.stash[_JUDGE] = Judge({}, {}, "")


class Judge:
    """The deviations of one judge, and which of them have been met."""

    def __init__(
        self, deviations: Mapping[str, str], left_out: Mapping[str, str], only: str
    ) -> None:
        self._only = only
        self._deviations = deviations
        self._left_out = left_out
        self._met: set[str] = set()

    def deviation(self, name: str) -> str:
        """Return why this test must fail, or ""."""
        return self._look_up(self._deviations, name)

    def is_left_out(self, name: str) -> bool:
        """Whether this test judges something else."""
        return self._only not in name or bool(self._look_up(self._left_out, name))

    def unmet(self) -> list[str]:
        """Return the patterns that found no test."""
        return sorted({*self._deviations, *self._left_out} - self._met)

    def _look_up(self, reasons: Mapping[str, str], name: str) -> str:
        found = [pattern for pattern in reasons if re.search(pattern, name)]
        self._met.update(found)
        return reasons[found[0]] if found else ""


_JUDGE = pytest.StashKey[Judge]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    judge = config.stash[_JUDGE]
    kept, dropped = [], []
    for item in items:
        name = ".".join(item.nodeid.split("::")[1:])
        if judge.is_left_out(name):
            dropped.append(item)
            continue
        kept.append(item)
        if reason := judge.deviation(name):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    items[:] = kept
    config.hook.pytest_deselected(items=dropped)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if unmet := session.config.stash[_JUDGE].unmet():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\nlisted, and no test is called so:", *unmet, sep="\n  ")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if path := config.getoption("--counts"):
        stats = terminalreporter.stats
        failed = len(stats.get("failed", [])) + len(stats.get("error", []))
        counts = {"passed": len(stats.get("passed", [])), "failed": failed}
        counts |= {"deviations": len(stats.get("xfailed", []))}
        counts |= {"skipped": len(stats.get("skipped", []))}
        Path(path).write_text(json.dumps(counts), encoding="utf-8")
