"""Cached functions, slots and other parts of a script: they work in children as in the script."""

import textwrap

import pytest
from programs import finish, run_program

pytestmark = pytest.mark.process


def said_by(parts: str, run: str) -> list[str]:
    """Return the lines that a script of these parts prints, each with a pool of one child."""
    program = run_program(
        "import dataclasses, functools\n"
        "from lightwork.pool.process.executor import ProcessExecutor\n"
        + textwrap.dedent(parts)
        + "with ProcessExecutor(1) as pool:\n"
        + textwrap.indent(textwrap.dedent(run), "    ")
    )
    said, errors = finish(program)
    assert errors == ""
    return said.splitlines()


def test_a_cached_function_of_the_script_runs_and_is_called_by_others() -> None:
    said = said_by(
        """
        @functools.lru_cache(maxsize=50, typed=True)
        def fib(n):
            "What it is."
            return n if n < 2 else fib(n - 1) + fib(n - 2)

        @functools.cache
        def double(n):
            return 2 * n

        def use(n):
            return fib(n), double(n), fib.cache_parameters()["maxsize"], fib.__doc__

        def hits(n):
            fib(n)
            return fib.cache_info().hits > 0
        """,
        """
        print(pool.submit(fib, 30).result(), list(pool.map(double, range(3))))
        print(*pool.submit(use, 10).result())
        print(pool.submit(hits, 10).result())
        """,
    )

    assert said == ["832040 [0, 2, 4]", "55 20 50 What it is.", "True"]


def test_a_cached_function_of_a_module_is_the_module_s_own() -> None:
    said = said_by(
        """
        import callables

        def is_own(cached):
            import callables
            return cached is callables.cached
        """,
        "print(pool.submit(is_own, callables.cached).result())",
    )

    assert said == ["True"]


def test_functions_of_several_types_run() -> None:
    said = said_by(
        """
        @functools.singledispatch
        def name(value):
            return "any"

        @name.register
        def _(value: int):
            return "int"

        class Namer:
            @functools.singledispatchmethod
            def name(self, value):
                return "any"

            @name.register
            def _(self, value: int):
                return "int"

        def use(value):
            name.register(str, lambda _: "str")
            return name(value), name("text"), Namer().name(value), Namer().name("text")

        name(3)
        """,
        """
        print(pool.submit(name, 3).result(), pool.submit(name, None).result())
        print(*pool.submit(use, 3).result())
        """,
    )

    assert said == ["int any", "int str int any"]


def test_cached_methods_and_properties_arrive_with_their_class() -> None:
    said = said_by(
        """
        class Thing:
            def __init__(self, number):
                self.number = number

            @functools.lru_cache
            def method(self):
                return self.number + 1

            @functools.cached_property
            def value(self):
                return self.number + 2

        def use(thing):
            return thing.method(), thing.value, vars(thing)
        """,
        """
        print(*pool.submit(use, Thing(3)).result())
        print(pool.submit(Thing, 5).result().value)
        """,
    )

    assert said == ["4 5 {'number': 3, 'value': 5}", "7"]


def test_classes_with_slots_arrive_and_come_back_with_them() -> None:
    said = said_by(
        """
        @dataclasses.dataclass(slots=True)
        class Point:
            x: int

        @dataclasses.dataclass(slots=True, frozen=True)
        class Fixed:
            x: int

        class Plain:
            __slots__ = ("x", "__hidden")

            def __init__(self, x):
                self.x = self.__hidden = x

            def hidden(self):
                return self.__hidden

        class One:
            __slots__ = "x"

            def __init__(self, x):
                self.x = x

        def has_dict(value):
            return hasattr(value, "__dict__")
        """,
        """
        for kind in (Point, Fixed, Plain, One):
            back = pool.submit(kind, 3).result()
            print(type(back) is kind, back.x, pool.submit(has_dict, kind(3)).result())
        print(pool.submit(Plain, 4).result().hidden())
        """,
    )

    assert said == [*["True 3 False"] * 4, "4"]
