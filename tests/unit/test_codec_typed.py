"""Typed values: what an annotation names travels as plain data."""

import dataclasses
import enum
import functools
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Required,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import msgspec
import pytest

from lightwork.codec import Codec, Subject
from lightwork.errors import PayloadError
from lightwork.tasks.task import task

if typing.TYPE_CHECKING:
    from nowhere import Absent  # type: ignore[import-not-found]

JOB = Subject(UUID(int=7), "mail:send")
CODEC = Codec()
T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    CORNER = (0, 0)


class Level(enum.IntEnum):
    HIGH = 3


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Odd(enum.Enum):
    NAN = float("nan")


class Point(NamedTuple):
    x: int
    color: Color = Color.RED


class Size(msgspec.Struct, frozen=True):
    width: Decimal
    color: Color = Color.RED


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    color: Color = Color.RED


@dataclass
class Order:
    items: list[Item]
    by_place: dict[Point, Item | None] = field(default_factory=dict)
    parent: "Order | None" = None


@dataclass
class Doubled:
    value: int
    twice: int = field(init=False)

    def __post_init__(self) -> None:
        self.twice = self.value * 2
        self.note = "derived"


@dataclass
class Checked:
    value: int

    def __post_init__(self) -> None:
        if self.value < 0:
            raise ValueError("negative")


@dataclass
class Opened:
    value: int
    secret: dataclasses.InitVar[int]


@dataclass
class ProblemError(Exception):
    code: int


@dataclass(frozen=True, slots=True)
class Special(Item):
    extra: int = 0


@dataclass
class Box(Generic[T]):
    value: T


@dataclass
class Sealed:
    item: Final[Item]


class Row(TypedDict):
    item: Required[Item]
    count: Annotated[int, "note"]


Alias = NewType("Alias", Item)


def call_back(annotation: Any, value: Any) -> Any:
    """Send the value through a call whose only parameter has the annotation."""

    def fn(value: Any) -> None: ...

    fn.__annotations__["value"] = annotation
    payload = CODEC.encode_call(JOB, (value,), {}, fn=fn)
    (back,), _ = CODEC.decode_call(JOB, payload, fn)
    return back


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Color, Color.RED),
        (Color, Color.CORNER),
        (Level, Level.HIGH),
        (Access, Access.READ | Access.WRITE),
        (Point, Point(1)),
        (Size, Size(Decimal("1.0"))),
        (Item, Item("a", Color.CORNER)),
        (Order, Order([Item("a")], {Point(1): None, Point(2): Item("b")}, Order([]))),
        (Doubled, Doubled(2)),
        (Optional[Item], Item("a")),  # noqa: UP045 - the old way to write it
        (Item | None, Item("a")),
        (Union[int, list[Item]], [Item("a")]),  # noqa: UP007
        (list[Item] | list[Point], [Item("a"), Point(1)]),
        (list[list[Item]], [[Item("a")], []]),
        (Sequence[Item], (Item("a"),)),
        (set[Item], {Item("a")}),
        (frozenset[Level], frozenset({Level.HIGH})),
        (dict[str, Item], {"a": Item("a")}),
        (Mapping[Color, list[Item]], {Color.RED: [Item("a")]}),
        (tuple[Item, ...], (Item("a"), Item("b"))),
        (tuple[int, Item, Color], (1, Item("a"), Color.RED)),
        (Item | Point | Color, Point(3)),
        (Annotated[Item, "note"], Item("a")),
        (Alias, Item("a")),
        (TypeVar("Bound", bound=Item), Item("a")),
        (TypeVar("Either", Item, Point), Point(1)),
        (Row, {"item": Item("a"), "count": 1}),
        (list[Row], [{"item": Item("a"), "count": 1}]),
        (Box[int], Box(1)),
        (Sealed, Sealed(Item("a"))),
        (list[Annotated[Item, "note"]], [Item("a")]),
        (Item | Literal[()], Item("a")),
    ],
    ids=str,
)
def test_an_annotated_value_comes_back_equal_in_type(annotation: Any, value: Any) -> None:
    back = call_back(annotation, value)

    assert back == value
    assert repr(back) == repr(value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Color, "red"),
        (Item, {"name": "a"}),
        (list[Item], (1, "a")),
        (Point, (1, "red")),
        (Decimal, "1.0"),
        (list[Literal[[]]], []),  # type: ignore[valid-type]
    ],
    ids=str,
)
def test_a_plain_value_stays_as_it_is_whatever_the_annotation(annotation: Any, value: Any) -> None:
    back = call_back(annotation, value)

    assert (type(back), back) == (type(value), value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Any, Item("a")),
        (object, Color.RED),
        (dict[str, Any], {"a": Item("a")}),
        (Item, Special("a")),
        (Item, Point(1)),
        (list[Item], Item("a")),
        (Item, [Item("a")]),
        (tuple[int, Item], (1, 2, Item("a"))),
        (Opened, Opened(1, 2)),
        (ProblemError, ProblemError(1)),
        (Odd, Odd.NAN),
        (Box[Item], Box(Item("a"))),
        (T, Item("a")),
        (Callable[[], Item], Item("a")),
    ],
    ids=str,
)
def test_a_value_that_its_annotation_would_not_bring_back_is_refused(
    annotation: Any, value: Any
) -> None:
    with pytest.raises(PayloadError, match="argument 'value'"):
        call_back(annotation, value)


def test_a_refused_typed_value_is_told_how_to_travel() -> None:
    with pytest.raises(PayloadError) as refusal:
        CODEC.encode_call(JOB, (Item("a"),), {})

    assert "Item would not come back as the same type by the annotation" in str(refusal.value)
    assert "annotate the function" in str(refusal.value)
    assert "authkey" in str(refusal.value)


def test_a_stored_field_counts_more_than_what_post_init_derives() -> None:
    value = Doubled(2)
    value.twice = 7

    back = call_back(Doubled, value)

    assert back.twice == 7


def test_post_init_derives_what_is_not_a_field() -> None:
    back = call_back(Doubled, Doubled(2))

    assert back.note == "derived"


def test_a_value_that_post_init_refuses_raises_payload_error() -> None:
    value = Checked(1)
    value.value = -1

    with pytest.raises(PayloadError, match="negative"):
        call_back(Checked, value)


def test_a_typed_value_without_one_of_its_fields_is_refused() -> None:
    value = Item("a")
    object.__delattr__(value, "name")

    with pytest.raises(PayloadError, match="cannot be taken apart"):
        call_back(Item, value)


def test_a_result_comes_back_by_the_return_annotation() -> None:
    def fn() -> dict[str, Item]:
        return {}

    payload = CODEC.encode_result(JOB, {"a": Item("a")}, fn=fn)

    assert CODEC.decode_result(JOB, payload, fn=fn) == {"a": Item("a")}


def test_a_refused_result_names_the_function() -> None:
    def fn() -> None: ...

    with pytest.raises(PayloadError, match=r"the result of .*fn"):
        CODEC.encode_result(JOB, Item("a"), fn=fn)


def test_keywords_and_further_arguments_have_their_annotations() -> None:
    def fn(*items: Item, color: Color, **points: Point) -> None: ...

    args, kwargs = (Item("a"), Item("b")), {"color": Color.RED, "p": Point(1)}

    payload = CODEC.encode_call(JOB, args, kwargs, fn=fn)

    assert CODEC.decode_call(JOB, payload, fn) == (args, kwargs)


def double(order: Order) -> Order:
    return order


class Shop:
    def send(self, item: Item) -> None: ...

    def __call__(self, item: Item) -> None: ...


class Crate:
    def __init__(self, item: Item) -> None: ...


@functools.wraps(double)
def wrapped(*args: Any) -> Any: ...


@pytest.mark.parametrize(
    ("fn", "value"),
    [
        (task(double), Order([])),
        (task(retries=1)(double), Order([])),
        (functools.partial(double), Order([])),
        (wrapped, Order([])),
        (Shop().send, Item("a")),
        (Shop(), Item("a")),
        (Crate, Item("a")),
    ],
    ids=["task", "task with options", "partial", "wrapped", "method", "callable", "class"],
)
def test_every_kind_of_callable_has_annotations(fn: Any, value: Any) -> None:
    payload = CODEC.encode_call(JOB, (value,), {}, fn=fn)

    assert CODEC.decode_call(JOB, payload, fn) == ((value,), {})


def test_an_annotation_that_cannot_be_resolved_leaves_the_others() -> None:
    def fn(absent: "Absent", item: "Item") -> None: ...

    payload = CODEC.encode_call(JOB, (1, Item("a")), {}, fn=fn)

    assert CODEC.decode_call(JOB, payload, fn) == ((1, Item("a")), {})


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, n: int) -> int:
        return n


@pytest.mark.parametrize("fn", [Unhashable(), dict, print])
def test_a_callable_without_readable_annotations_takes_plain_data(fn: Any) -> None:
    payload = CODEC.encode_call(JOB, ((1, 2),), {}, fn=fn)

    assert CODEC.decode_call(JOB, payload, fn) == (((1, 2),), {})


def make_class(*fields: Any) -> Any:
    return dataclasses.make_dataclass("Versioned", fields)


def sent_between(writer: Any, reader: Any, value: Any) -> Any:
    def old(value: Any) -> None: ...

    def new(value: Any) -> None: ...

    old.__annotations__["value"] = writer
    new.__annotations__["value"] = reader
    payload = CODEC.encode_call(JOB, (value,), {}, fn=old)
    return CODEC.decode_call(JOB, payload, new)[0][0]


def test_a_field_that_was_added_since_gets_its_default() -> None:
    old = make_class(("a", int))
    new = make_class(("a", int), ("b", list[int], field(default_factory=list)))

    back = sent_between(old, new, old(1))

    assert back == new(1, [])


def test_a_field_that_was_added_without_default_is_named() -> None:
    old, new = make_class(("a", int)), make_class(("a", int), ("b", int))

    with pytest.raises(PayloadError, match="other fields than it has here: b"):
        sent_between(old, new, old(1))


def test_a_field_that_was_removed_since_is_named() -> None:
    old, new = make_class(("a", int), ("b", int)), make_class(("a", int))

    with pytest.raises(PayloadError, match="other fields than it has here: b"):
        sent_between(old, new, old(1, 2))


def test_a_renamed_class_still_takes_its_fields() -> None:
    class Renamed(NamedTuple):
        x: int
        color: Color = Color.RED

    assert sent_between(Point, Renamed, Point(1)) == Renamed(1)


def test_an_alternative_that_is_gone_is_not_confused_with_another() -> None:
    with pytest.raises(PayloadError, match="names: Point"):
        sent_between(Item | Point, Point, Item("a"))


def test_a_class_that_became_ambiguous_is_refused() -> None:
    with pytest.raises(PayloadError, match="names: Item, Special"):
        sent_between(Item, Item | Special, Item("a"))


def test_two_alternatives_of_one_name_are_refused_when_encoding() -> None:
    one, other = make_class(("a", int)), make_class(("a", int))

    with pytest.raises(PayloadError, match="annotation"):
        call_back(one | other, one(1))


def test_an_enum_value_that_is_gone_raises_payload_error() -> None:
    class Fewer(enum.Enum):
        BLUE = "blue"

    with pytest.raises(PayloadError, match="red"):
        sent_between(Color, Fewer, Color.RED)


def test_no_class_name_is_stored_where_the_annotation_leaves_no_choice() -> None:
    def fn(order: Order | None) -> None: ...

    payload = CODEC.encode_call(JOB, (Order([Item("a")]),), {}, fn=fn)

    assert b"Order" not in payload
    assert b"Item" not in payload
