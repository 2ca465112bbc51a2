"""What children are called, and what they find in their environment."""

import os

import calls
import feature_calls
import pytest

from lightwork.errors import UsageError
from lightwork.pool.link.child_name import child_title
from lightwork.pool.process.environment import BLAS_VARIABLES, blas_env
from lightwork.pool.process.executor import ProcessExecutor

pytestmark = pytest.mark.process

WAIT = 30


# --- names


@pytest.mark.parametrize(
    ("name", "serial", "title"),
    [
        ("images", 3, b"lw:images-3"),
        ("lightwork-child", 3, b"lw:lightwork-3"),
        ("a-very-long-name", 12, b"lw:a-very-lo-12"),
        ("äöüäöüäöü", 1, "lw:äöüäö-1".encode()),
        ("x", 10**6, b"lw:x-1000000"),
    ],
)
def test_a_title_shows_the_number_and_what_fits_of_the_name(
    name: str, serial: int, title: bytes
) -> None:
    assert child_title(name, serial) == title


def test_a_child_shows_the_name_of_its_pool_in_ps() -> None:
    with ProcessExecutor(1, name="images") as pool:
        title = pool.submit(feature_calls.title).result(WAIT)

    assert title == "lw:images-1"


def test_a_call_learns_the_name_of_its_child() -> None:
    with ProcessExecutor(1, name="images") as pool:
        worker = pool.submit(calls.report, 1).result(WAIT)

    assert worker == "images-1"


def test_a_lost_call_names_the_child() -> None:
    with ProcessExecutor(1, name="images") as pool:
        lost = pool.submit(calls.kill_myself).exception(WAIT)

    assert "the child images-1 " in str(lost)


@pytest.mark.parametrize("name", ["", "two\nlines", 3, None])
def test_a_name_must_be_printable_text(name: object) -> None:
    with pytest.raises(UsageError, match="name must be printable text"):
        ProcessExecutor(1, name=name)  # type: ignore[arg-type]


# --- environment


def test_children_have_the_variables_of_their_pool() -> None:
    with ProcessExecutor(1, env={"LIGHTWORK_TEST_COLOUR": "blue"}) as pool:
        found = pool.submit(feature_calls.variables, "LIGHTWORK_TEST_COLOUR").result(WAIT)

    assert found == ["blue"]
    assert "LIGHTWORK_TEST_COLOUR" not in os.environ


def test_variables_are_there_before_the_initializer_is_loaded() -> None:
    argument = feature_calls.WhenLoaded("LIGHTWORK_TEST_COLOUR")
    with ProcessExecutor(
        1,
        env={"LIGHTWORK_TEST_COLOUR": "red"},
        initializer=calls.set_greeting,
        initargs=(argument,),
    ) as pool:
        found = pool.submit(calls.greeting).result(WAIT)

    assert found == "red"


@pytest.mark.parametrize("env", [{"A=B": "1"}, {"": "1"}, {"A": "\0"}, {"A": 1}, {1: "A"}])
def test_variables_that_no_system_can_hold_are_refused(env: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="env"):
        ProcessExecutor(1, env=env)


# --- threads of numeric libraries


@pytest.mark.parametrize(
    ("cpus", "children", "share"), [(8, 2, "4"), (8, 3, "2"), (8, 8, "1"), (2, 5, "1")]
)
def test_each_child_gets_its_share_of_the_cpus(cpus: int, children: int, share: str) -> None:
    found = blas_env("auto", cpus=cpus, children=children, known={})

    assert found == dict.fromkeys(BLAS_VARIABLES, share)


def test_what_the_user_has_set_is_left_alone() -> None:
    found = blas_env("auto", cpus=8, children=4, known={"MKL_NUM_THREADS": "6"})

    assert (found["MKL_NUM_THREADS"], found["OMP_NUM_THREADS"]) == ("6", "2")


def test_a_number_of_threads_wins_over_the_environment() -> None:
    found = blas_env(3, cpus=8, children=4, known={"MKL_NUM_THREADS": "6"})

    assert found == dict.fromkeys(BLAS_VARIABLES, "3")


def test_no_limit_sets_nothing() -> None:
    assert blas_env(None, cpus=8, children=4, known={}) == {}


@pytest.mark.parametrize("threads", [0, -1, True, 1.5, "many"])
def test_a_senseless_number_of_threads_is_refused(threads: object) -> None:
    with pytest.raises(UsageError, match="blas_threads must be"):
        ProcessExecutor(1, blas_threads=threads)  # type: ignore[arg-type]


def test_children_are_limited_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BLAS_VARIABLES:
        monkeypatch.delenv(name, raising=False)

    with ProcessExecutor(1000) as pool:
        found = pool.submit(feature_calls.variables, *BLAS_VARIABLES).result(WAIT)

    assert found == ["1"] * len(BLAS_VARIABLES)


def test_a_limit_set_after_the_fork_server_began_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    with ProcessExecutor(1) as before:
        before.submit(calls.pid).result(WAIT)
        monkeypatch.setenv("OMP_NUM_THREADS", "77")

        with ProcessExecutor(1) as pool:
            found = pool.submit(feature_calls.variables, "OMP_NUM_THREADS").result(WAIT)

    assert found == ["77"]


def test_env_wins_over_the_limit() -> None:
    with ProcessExecutor(1, blas_threads=2, env={"OMP_NUM_THREADS": "5"}) as pool:
        found = pool.submit(feature_calls.variables, "OMP_NUM_THREADS", BLAS_VARIABLES[1])

        assert found.result(WAIT) == ["5", "2"]
