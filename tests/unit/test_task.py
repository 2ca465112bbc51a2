"""Task: calls like its function, carries policy, and travels."""

import inspect
import math
import os
import pickle
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cloudpickle
import importable
import pytest

from lightwork.callables import find_by_reference
from lightwork.errors import UsageError
from lightwork.model import Backoff, Policy
from lightwork.numeric import parse_size
from lightwork.tasks.names import task_name
from lightwork.tasks.task import Task, task


def double(n: int, *, by: int = 2) -> int:
    """Double."""
    return n * by


def run(script: Path) -> str:
    done = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    return done.stdout


def test_a_task_calls_like_its_function() -> None:
    assert task(double)(3, by=5) == 15


def test_a_task_looks_like_its_function() -> None:
    decorated = task(double)

    assert (decorated.__name__, decorated.__doc__) == ("double", "Double.")  # type: ignore[attr-defined]
    assert inspect.signature(decorated) == inspect.signature(double)


def test_options_in_the_decorator_become_policy() -> None:
    decorated = task(queue="mail", retries=2, timeout=3, priority=-1, idempotent=False)(double)

    assert decorated.policy == Policy(
        queue="mail", retries=2, timeout=3, priority=-1, idempotent=False
    )


def test_the_last_word_on_when_it_begins_counts() -> None:
    at = datetime(2100, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    delayed = task(double).options(delay=60)

    dated = delayed.options(at=at)

    assert (dated.policy.at, dated.policy.delay) == (at, 0.0)
    assert dated.options(delay=5).policy == Policy(delay=5)
    assert dated.options(at=None).policy == Policy()


def test_an_instant_and_a_delay_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="delay or at, not both"):
        task(double).options(delay=60, at=datetime(2100, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("at", ["2100-01-01", datetime(2100, 1, 1), 7])  # noqa: DTZ001 - the point
def test_an_instant_without_a_time_zone_is_refused(at: Any) -> None:
    with pytest.raises(UsageError, match="at must be a datetime with a time zone"):
        task(double).options(at=at)


def test_options_return_a_copy() -> None:
    original = task(retries=1)(double)

    copy = original.options(delay=60)

    assert copy.policy == Policy(retries=1, delay=60)
    assert original.policy == Policy(retries=1)


def test_a_number_as_backoff_is_its_starting_delay() -> None:
    assert task(backoff=5)(double).policy.backoff == Backoff(base=5.0)


def test_classes_to_retry_are_kept_by_name() -> None:
    decorated = task(retry_on=(OSError, "shop.CardRefused"))(double)

    assert decorated.policy.retry_on == ("builtins.OSError", "shop.CardRefused")


def test_a_functions_own_attributes_do_not_replace_the_tasks() -> None:
    def named() -> None: ...

    named.name = "other"  # type: ignore[attr-defined]
    named.policy = "other"  # type: ignore[attr-defined]
    named.fn = "other"  # type: ignore[attr-defined]

    decorated = task(retries=2)(named)

    assert decorated.fn is named
    assert decorated.policy == Policy(retries=2)
    assert decorated.name.endswith("named")


def test_the_outer_policy_of_a_task_of_a_task_counts() -> None:
    assert task(retries=2)(task(double)).policy == Policy(retries=2)


@pytest.mark.parametrize(
    "options",
    [
        {"queue": ""},
        {"queue": "q" * 101},
        {"queue": 5},
        {"queue": "a\0b"},
        {"queue": "\ud800"},
        {"queue": "two\nlines"},
        {"queue": "\u2028"},
        {"priority": 2**31},
        {"priority": -(2**31)},
        {"priority": 1.5},
        {"priority": True},
        {"retries": -1},
        {"retries": True},
        {"retries": "3"},
        {"backoff": "fast"},
        {"backoff": None},
        {"backoff": True},
        {"backoff": -1},
        {"backoff": math.nan},
        {"backoff": Backoff(factor=-1)},
        {"backoff": Backoff(cap=math.inf)},
        {"retry_on": "OSError"},
        {"retry_on": OSError},
        {"retry_on": None},
        {"retry_on": (int,)},
        {"retry_on": (OSError("x"),)},
        {"timeout": -1},
        {"timeout": math.nan},
        {"timeout": math.inf},
        {"timeout": "5"},
        {"timeout": None},
        {"max_memory": "much"},
        {"max_memory": -1},
        {"max_memory": 2**63},
        {"max_memory": "9" * 400},
        {"max_memory": "9e9"},
        {"max_memory": 1.5},
        {"max_memory": True},
        {"max_crashes": 0},
        {"idempotent": "no"},
        {"delay": -0.5},
    ],
    ids=str,
)
def test_an_option_that_makes_no_sense_is_named(options: dict[str, Any]) -> None:
    (name,) = options
    expected = "size" if name == "max_memory" else name

    with pytest.raises(UsageError, match=expected):
        task(**options)


def test_an_unknown_option_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'retrys'; expected one of .*retries"):
        task(retrys=3)  # type: ignore[call-overload]


def test_an_unknown_option_is_told_what_it_may_have_been() -> None:
    with pytest.raises(UsageError, match=r"on_progress.*; did you mean .*'retries'\?$"):
        task(retry=3)  # type: ignore[call-overload]


def test_a_bad_option_leaves_the_task_as_it_was() -> None:
    decorated = task(double)

    with pytest.raises(UsageError):
        decorated.options(retries=-1)

    assert decorated.policy == Policy()


@pytest.mark.parametrize("thing", [5, "text", [double]])
def test_only_something_callable_becomes_a_task(thing: Any) -> None:
    with pytest.raises(UsageError, match="expects a function"):
        task(thing)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (0, 0),
        (512, 512),
        ("512", 512),
        ("512M", 512 << 20),
        ("1.5 GiB", 3 << 29),
        ("2kb", 2048),
        (" 1T ", 1 << 40),
        ("999999999999", 999_999_999_999),
    ],
)
def test_a_size_is_bytes(text: int | str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("name", ["plain", "declared"])
def test_what_can_be_imported_travels_by_reference(name: str) -> None:
    original = task(importable.plain) if name == "plain" else importable.declared

    data = pickle.dumps(original)

    assert pickle.loads(data).fn is original.fn
    assert b"importable" in data


def test_a_task_inside_a_class_travels_by_reference() -> None:
    back = pickle.loads(pickle.dumps(importable.Shop.sell))

    assert back.fn is importable.Shop.sell.fn


def test_policy_travels_with_the_task() -> None:
    changed = importable.declared.options(timeout=9)

    back = pickle.loads(pickle.dumps(changed))

    assert back.policy == Policy(retries=2, timeout=9)


def test_a_local_function_travels_by_value() -> None:
    offset = 4

    def add(n: int) -> int:
        return n + offset

    data = cloudpickle.dumps(task(retries=1)(add))
    back = pickle.loads(data)

    assert (back(1), back.policy) == (5, Policy(retries=1))


def test_a_task_of_main_travels_by_value(tmp_path: Path) -> None:
    script = tmp_path / "sender.py"
    script.write_text(
        "import cloudpickle\n"
        "from lightwork.tasks.task import task\n"
        "@task(retries=1)\n"
        "def triple(n):\n"
        "    return 3 * n\n"
        "print(cloudpickle.dumps(triple).hex())\n"
    )

    back = pickle.loads(bytes.fromhex(run(script)))

    assert (back(2), back.policy) == (6, Policy(retries=1))


NAMES = """
from lightwork.tasks.names import short_name
from lightwork.tasks.task import task
@task
def send(): pass
print(send.name, short_name(send.name), send, send.options(retries=1).name)
"""


def test_a_task_of_a_script_is_named_by_the_script_and_its_place(tmp_path: Path) -> None:
    script = tmp_path / "shop.py"
    script.write_text(NAMES)
    link = tmp_path / "link.py"
    link.symlink_to(script)

    full, short, *shown, copy = run(script).split()

    assert (full, copy) == (f"shop:send@{script.resolve()}",) * 2
    assert (short, " ".join(shown)) == ("shop:send", "<Task shop:send>")
    assert run(link).split()[0] == f"link:send@{script.resolve()}"


def test_a_task_of_a_session_is_named_by_a_random_word() -> None:
    names = [
        subprocess.run(
            [sys.executable, "-c", NAMES], check=True, capture_output=True, text=True
        ).stdout.split()
        for _ in range(2)
    ]

    assert {short for _full, short, *_rest in names} == {"__main__:send"}
    assert all(re.fullmatch("__main__:send@session-[0-9a-f]{16}", full) for full, *_rest in names)
    assert names[0][0] != names[1][0]


def test_a_place_that_no_store_could_keep_is_shortened(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["x" * 200] * 3)
    folder.mkdir(parents=True)
    (folder / "shop.py").write_text(NAMES)

    full = run(folder / "shop.py").split()[0]

    assert re.fullmatch("shop:send@[0-9a-f]{64}", full)


def test_a_task_of_a_script_keeps_its_name_on_its_way_to_a_child(tmp_path: Path) -> None:
    script = tmp_path / "shop.py"
    script.write_text(
        "import cloudpickle\n"
        "from lightwork.tasks.task import task\n"
        "@task\ndef send(): pass\n"
        "print(cloudpickle.dumps(send).hex())\n"
    )

    back = pickle.loads(bytes.fromhex(run(script)))

    assert back.name == f"shop:send@{script.resolve()}"


def test_a_task_of_a_module_that_is_run_goes_by_the_modules_name(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "from lightwork.tasks.task import task\n@task\ndef send(): pass\nprint(send.name)\n"
    )

    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "shop"],
        env={**os.environ, "PYTHONPATH": path},
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.strip() == "shop:send"


def test_a_program_without_file_has_no_other_name() -> None:
    code = "from lightwork.tasks.names import main_module_name; print(main_module_name())"

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "__main__"


def test_an_imported_function_goes_by_module_and_qualified_name() -> None:
    assert importable.Shop.sell.name == "importable:Shop.sell"


def test_a_callable_object_goes_by_its_class() -> None:
    class Ready:
        def __call__(self) -> None: ...

    assert task_name(Ready()).endswith("Ready")


@pytest.mark.parametrize("fn", [importable.plain, importable.declared.fn, len])
def test_a_reference_is_found_only_where_it_leads_back(fn: Any) -> None:
    assert find_by_reference(fn) is not None


@pytest.mark.parametrize(
    "fn", [lambda: 0, Task.options.__get__(importable.declared)], ids=["lambda", "method"]
)
def test_what_has_no_name_of_its_own_has_no_reference(fn: Any) -> None:
    assert find_by_reference(fn) is None


def test_a_task_shows_its_name() -> None:
    assert repr(importable.declared) == "<Task importable:declared>"


def test_a_name_that_would_break_lines_is_refused_where_the_task_is_declared() -> None:
    def odd() -> None: ...

    odd.__qualname__ = "two\nlines"

    with pytest.raises(UsageError, match="no control characters"):
        task(odd)


def test_a_name_with_a_space_at_an_end_is_refused() -> None:
    def odd() -> None: ...

    odd.__qualname__ = "send "

    with pytest.raises(UsageError, match="no space at an end"):
        task(odd)
    with pytest.raises(UsageError, match="spaces at its ends"):
        task(queue=" mail")
