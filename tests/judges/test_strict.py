"""A judge's list of deviations is strict: whatever it does not say exactly fails the run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = """
import pytest

class TestPool:
    def test_works(self): pass
    def test_fails(self): assert False
    @pytest.mark.parametrize("n", [1, 2])
    def test_even(self, n): assert n == 2
"""
FAILING = {"TestPool.test_fails": "on purpose", r"test_even\[1\]": "so is this"}


def judged(
    folder: Path, deviations: dict[str, str], left_out: dict[str, str]
) -> tuple[int, str, dict[str, int]]:
    (folder / "test_theirs.py").write_text(TESTS)
    (folder / "judge_them.py").write_text(
        f"DEVIATIONS = {deviations}\nLEFT_OUT = {left_out}\ndef adapt(): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "strict", "--judge=judge_them"]
    command += ["--counts=counts", "-c", "/dev/null", "--rootdir=.", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "test_theirs.py"],
        cwd=folder,
        env={"PYTHONPATH": f"{HERE}:{folder}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout, json.loads((folder / "counts").read_text())


def test_a_run_whose_failures_are_all_listed_passes(tmp_path: Path) -> None:
    status, report, counts = judged(tmp_path, FAILING, {})

    assert status == 0, report
    assert counts == {"passed": 2, "failed": 0, "deviations": 2, "skipped": 0}


def test_a_test_that_is_left_out_does_not_run(tmp_path: Path) -> None:
    status, report, counts = judged(tmp_path, {}, FAILING)

    assert status == 0, report
    assert counts["passed"] == 2


@pytest.mark.parametrize(
    ("deviations", "said"),
    [
        ({}, "test_fails"),
        ({**FAILING, "test_works": "it does"}, "[XPASS(strict)] it does"),
        (
            {**FAILING, "test_gone": "renamed since"},
            "listed, and no test is called so:\n  test_gone",
        ),
    ],
    ids=["unlisted", "passes", "gone"],
)
def test_a_list_that_is_not_exact_fails_the_run(
    tmp_path: Path, deviations: dict[str, str], said: str
) -> None:
    status, report, _ = judged(tmp_path, deviations, {})

    assert status == 1
    assert said in report
