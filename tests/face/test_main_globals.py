"""Functions of a script share their globals in a child, and what the program binds anew arrives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

SCRIPT = """
import dataclasses, functools, sys
import lightwork as lw

G = None
SEEN = []
MODES = {"a": 1}

def init(value):
    global G
    G = value

def add(x): return x + G

def helper(x):
    SEEN.append(x)
    return len(SEEN)

def one(x): return helper(x)

def two(x): return helper(x)

def three(): return SEEN

@lw.task
def tasked(x):
    init(G + x)
    return G

def read(): return G
def read_too(): return G
def mode(): return MODES["a"]
def set_mode(value): MODES["a"] = value
def handle(): return HANDLERS[0]()
def nine(): return 9

@functools.singledispatch
def kind(value): return "any"

def kind_of_one(): return kind(1)

HANDLERS = [nine]

@dataclasses.dataclass
class Counter:
    step: int = 1
    total = 0

    def bump(self):
        type(self).total += self.step
        return self.total, G

    def none(self):
        return self

def fresh():
    return Counter.total

@functools.cache
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)

def sixty(): return fib(60)

class Sizes:
    @functools.lru_cache(maxsize=7)
    def of(self, n): return n, type(self).of.cache_info()[:3]

def again(x):
    with lw.ProcessExecutor(1, initializer=init, initargs=(G + 1,)) as inner:
        return inner.submit(add, x).result(60), G

@lw.task
def one_job(n: int) -> int: return one(n)

@lw.task
def two_job(n: int) -> int: return two(n)

def lines(where, **options):
    with lw.executor(where, initializer=init, initargs=(10,), **options) as ex:
        yield list(ex.map(add, range(4), chunksize=2))
        yield list(ex.map(add, range(4), chunksize=1))
        yield ex.submit(add, 1).result(60), ex.submit(lambda: G).result(60)

def main(case, where):
    global G, MODES
    if case == "initializer":
        for line in lines(where): print(line)
    elif case == "list":
        with lw.executor(where) as ex:
            print([ex.submit(fn, 1).result(60) for fn in (one, two, one, two)])
            print(SEEN, ex.submit(three).result(60))
    elif case == "task":
        G = 1
        with lw.executor(where) as ex:
            print([ex.submit(fn, 1).result(60) for fn in (tasked, add, tasked, add)])
    elif case == "bound anew":
        with lw.executor(where) as ex:
            found = []
            for value, fn in ((1, read), (2, read_too), (1, read), (1, read_too), (2, read)):
                G = value
                found.append(ex.submit(fn).result(60))
            print(found)
    elif case == "changed in place":
        with lw.executor(where) as ex:
            found = [ex.submit(mode).result(60)]
            ex.submit(set_mode, 2).result(60)
            found.append(ex.submit(mode).result(60))
            MODES["a"] = 3
            found.append(ex.submit(mode).result(60))
            found.append(ex.submit(handle).result(60))
            HANDLERS[0] = lambda: 8
            found.append(ex.submit(handle).result(60))
            found.append(ex.submit(kind_of_one).result(60))
            kind.register(int, lambda value: "int")
            found.append(ex.submit(kind_of_one).result(60))
            print(found)
    elif case == "class":
        with lw.executor(where, initializer=init, initargs=(5,)) as ex:
            counter = Counter(2)
            found = [ex.submit(Counter.bump, counter).result(60) for _ in range(2)]
            found.append(ex.submit(counter.bump).result(60))
            came = ex.submit(counter.none).result(60)
            found += [type(came) is Counter, came.bump.__globals__ is globals(), Counter.total]
            found.append(ex.submit(fresh).result(60))
            Counter.total = 100
            found.append(ex.submit(fresh).result(60))
            print(found)
    elif case == "cache":
        with lw.executor(where) as ex:
            found = [ex.submit(fib, 60).result(60), ex.submit(sixty).result(60)]
            print(found, ex.submit(Sizes().of, 1).result(60), fib.cache_info().currsize)
    elif case == "nested":
        G = 1
        with lw.executor(where, initializer=init, initargs=(5,)) as ex:
            print(ex.submit(again, 1).result(60), G)
    elif case == "store":
        with lw.executor(where, workers=1) as ex:
            print([ex.submit(job, 1).result(60) for job in (one_job, two_job, one_job)], SEEN)

if __name__ == "__main__":
    main(*sys.argv[1:])
"""

EXPECTED = {
    "initializer": "[10, 11, 12, 13]\n[10, 11, 12, 13]\n(11, 10)\n",
    "list": "[1, 2, 3, 4]\n[] [1, 1, 1, 1]\n",
    "task": "[2, 3, 3, 4]\n",
    "bound anew": "[1, 2, 1, 1, 2]\n",
    "changed in place": "[1, 2, 3, 9, 8, 'any', 'int']\n",
    "class": "[(2, 5), (4, 5), (6, 5), True, True, 0, 6, 100]\n",
    "cache": "[1548008755920, 1548008755920] (1, (0, 1, 7)) 0\n",
    "nested": "(7, 5) 1\n",
}


@pytest.mark.parametrize("case", EXPECTED)
def test_children_keep_the_globals_of_the_script(tmp_path: Path, case: str) -> None:
    assert run_script(tmp_path, case, "processes:1") == (EXPECTED[case], "")


def test_jobs_of_a_store_keep_the_globals_of_the_script(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/work.db"

    assert run_script(tmp_path, "store", url) == ("[1, 2, 3] []\n", "")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="sub-interpreters came with 3.13")
def test_interpreters_keep_the_globals_of_the_script(tmp_path: Path) -> None:
    found = run_script(tmp_path, "initializer", "interpreters:1")

    assert found == (EXPECTED["initializer"], "")


SESSION = """
import lightwork as lw
ex = lw.ProcessExecutor(1)
def helper(): return "first"

def ask(): return helper()

ex.submit(ask).result(60)
def helper(): return "second"

ex.submit(ask).result(60)
del helper
def helper(): return "third"

ex.submit(ask).result(60)
LIMIT = 1
def limit(): return LIMIT

def raise_limit():
    global LIMIT
    LIMIT += 1

_ = ex.submit(raise_limit).result(60)
ex.submit(limit).result(60)
LIMIT = 7
ex.submit(limit).result(60)
class Box:
    def open(self): return "old"

ex.submit(Box().open).result(60)
class Box:
    def open(self): return "new"

ex.submit(Box().open).result(60)
ex.shutdown()
"""


def test_what_a_session_defines_again_arrives_anew(tmp_path: Path) -> None:
    found, _ = run(tmp_path, "-i", "-q", "-W", "error", "-", text=SESSION)

    assert found.split() == ["'first'", "'second'", "'third'", "2", "7", "'old'", "'new'"]


def run_script(tmp_path: Path, *arguments: str) -> tuple[str, str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    return run(tmp_path, "-W", "error", str(script), *arguments)


def run(tmp_path: Path, *arguments: str, text: str = "") -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=dict(os.environ),
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout, done.stderr
