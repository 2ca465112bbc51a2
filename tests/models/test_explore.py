"""The explorer finds what it is for: bad states, dead ends and circles."""

from collections.abc import Iterable
from dataclasses import dataclass

from explore import Step, explore


@dataclass(frozen=True)
class Graph:
    """A model that is written down whole; a step with "!" in its name comes from outside."""

    edges: dict[str, tuple[str, ...]]
    ends: tuple[str, ...] = ("end",)
    bad: tuple[str, ...] = ("bad",)

    def starts(self) -> Iterable[str]:
        return ["start"]

    def steps(self, state: str) -> Iterable[Step[str]]:
        for edge in self.edges.get(state, ()):
            to = edge.strip("!")
            yield Step(f"to {to}", to, is_outside="!" in edge)

    def problem(self, state: str) -> str:
        return "it is bad" if state in self.bad else ""

    def is_over(self, state: str) -> bool:
        return state in self.ends


def test_a_model_that_always_ends_is_fine() -> None:
    explored = explore(Graph({"start": ("a", "b"), "a": ("end",), "b": ("a", "start")}))

    assert explored.wrong is None
    assert explored.is_whole
    assert (explored.states, explored.depth) == (4, 2)


def test_a_bad_state_is_told_with_the_shortest_way_to_it() -> None:
    explored = explore(Graph({"start": ("a", "b"), "a": ("c",), "c": ("bad",), "b": ("bad",)}))

    assert explored.wrong is not None
    assert explored.wrong.way == ("to b", "to bad")
    assert explored.wrong.told().startswith("it is bad\n   1. to b")


def test_a_state_in_which_nothing_can_happen_is_wrong() -> None:
    explored = explore(Graph({"start": ("end", "stuck")}))

    assert explored.wrong is not None
    assert explored.wrong.state == "stuck"


def test_turning_in_a_circle_for_ever_is_wrong() -> None:
    explored = explore(Graph({"start": ("end", "a"), "a": ("b",), "b": ("a",)}))

    assert explored.wrong is not None
    assert explored.wrong.state == "a"


def test_help_from_outside_is_no_way_out() -> None:
    explored = explore(Graph({"start": ("end", "hung"), "hung": ("end!",)}))

    assert explored.wrong is not None
    assert explored.wrong.state == "hung"


def test_what_lies_too_deep_is_taken_for_fine_and_told() -> None:
    explored = explore(Graph({"start": ("a",), "a": ("b",), "b": ("bad",)}), depth=2)

    assert explored.wrong is None
    assert not explored.is_whole


def test_what_lies_beyond_the_limit_of_states_is_taken_for_fine_and_told() -> None:
    explored = explore(Graph({"start": ("a",), "a": ("b",), "b": ("bad",)}), most=2)

    assert explored.wrong is None
    assert not explored.is_whole
