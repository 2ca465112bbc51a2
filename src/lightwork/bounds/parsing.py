"""Bounds: what a task declares about how many jobs of a key there may be, checked. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from lightwork.error_text import did_you_mean
from lightwork.errors import UsageError
from lightwork.model import Limit, Unique
from lightwork.numeric import as_int, as_number

_UNTIL: Final = ("begin", "end")
_ON_CONFLICT: Final = ("skip", "replace", "raise")
_MOST: Final = 1e9
_MOST_LIMITS: Final = 5
_MOST_TAGS: Final = 20
_LONGEST_TAG: Final = 100
_LONGEST_HEADERS: Final = 4000


def parse_unique(value: object) -> Unique | None:
    """Return what `unique=` means: a Unique, the template of a key, or True for all arguments.

    Raises:
        UsageError: Nothing.
    """
    if value is None or value is False:
        return None
    found = Unique() if value is True else Unique(value) if isinstance(value, str) else value
    if not isinstance(found, Unique):
        raise UsageError(
            'unique must be True, a template such as "user:{user_id}", or lw.Unique(...); '
            f"seen: {value!r:.100}"
        )
    check_unique(found)
    return found


def check_unique(unique: Unique) -> None:
    """Refuse values that make no sense.

    Raises:
        UsageError: One.
    """
    if type(unique.key) is not str:
        raise UsageError(f"the key of Unique must be text; seen: {unique.key!r:.100}")
    _check_word("until", unique.until, _UNTIL)
    _check_word("on_conflict", unique.on_conflict, _ON_CONFLICT)
    period = as_number(unique.period)
    if period is None or not 0 <= period < _MOST:
        raise UsageError(
            f"the period of Unique must be a number from 0 on, less than 1e9; "
            f"seen: {unique.period!r:.100}"
        )


def parse_limits(value: object) -> tuple[Limit, ...]:
    """Return what `limit=` means: a Limit, or several with different keys.

    Raises:
        UsageError: Nothing.
    """
    given = (value,) if isinstance(value, Limit) else value or ()
    if not isinstance(given, tuple | list):
        raise UsageError(f"limit must be lw.Limit(...), or a list of them; seen: {value!r:.100}")
    for limit in given:
        if not isinstance(limit, Limit):
            raise UsageError(f"limit must be lw.Limit(...); seen: {limit!r:.100}")
        check_limit(limit)
    if len(given) > _MOST_LIMITS:
        raise UsageError(f"a task has {_MOST_LIMITS} limits at most; seen: {len(given)}")
    if len({limit.key for limit in given}) < len(given):
        raise UsageError(f"each Limit must have a key of its own; seen: {value!r:.300}")
    return tuple(given)


def check_limit(limit: Limit) -> None:
    """Refuse values that make no sense.

    Raises:
        UsageError: One.
    """
    if type(limit.key) is not str or not limit.key:
        raise UsageError(f"the key of Limit must be text; seen: {limit.key!r:.100}")
    for name in ("running", "burst"):
        count = as_int(getattr(limit, name))
        if count is None or not 0 <= count < 2**31:
            raise UsageError(
                f"{name} of Limit must be a whole number from 0 on; seen: {getattr(limit, name)!r:.100}"
            )
    rate, per = as_number(limit.rate), as_number(limit.per)
    if rate is None or not 0 <= rate < _MOST or per is None or not 0 < per < _MOST:
        raise UsageError(
            "rate of Limit must be a number from 0 on and per a number above 0; "
            f"seen: {limit.rate!r:.100} and {limit.per!r:.100}"
        )
    if not limit.running and not rate:
        raise UsageError(
            f"Limit({limit.key!r:.100}) limits nothing; expected running=5, or rate=100, per=60"
        )


def parse_tags(value: object) -> tuple[str, ...]:
    """Return the tags that are meant, each once.

    Raises:
        UsageError: One is no text, or there are too many.
    """
    # Text is iterable too: tags="import" would mean six letters.
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise UsageError(f"tags must be a list of words; seen: {value!r:.100}")
    found = tuple(dict.fromkeys(value))
    for word in found:
        if not _is_fit(word) or not 0 < len(word) <= _LONGEST_TAG or word != word.strip():
            raise UsageError(
                f"a tag is printable text of 1 to {_LONGEST_TAG} characters, with no spaces at its "
                f"ends; seen: {word!r:.200}"
            )
    if len(found) > _MOST_TAGS:
        raise UsageError(f"a job has {_MOST_TAGS} tags at most; seen: {len(found)}")
    return found


def parse_headers(value: object) -> tuple[tuple[str, str], ...]:
    """Return the headers that are meant: names and texts.

    Raises:
        UsageError: One is no text, or they are too long: 4000 characters is what a job can carry.
    """
    if not isinstance(value, Mapping):
        raise UsageError(f"headers must be a dict of texts; seen: {value!r:.100}")
    for name, text in value.items():
        if not _is_fit(name) or not _is_fit(text):
            raise UsageError(
                f"headers are names and values of printable text; seen: {name!r:.100}: {text!r:.100}"
            )
    size = sum(_size(name) + _size(text) + 6 for name, text in value.items())
    if size > _LONGEST_HEADERS:
        raise UsageError(
            f"the headers of a job have {_LONGEST_HEADERS} characters at most, as JSON; seen: {size}"
        )
    return tuple(value.items())


def _is_fit(word: object) -> bool:
    return type(word) is str and word.isprintable()


def _size(text: str) -> int:
    # Quotation marks and backslashes are written with another in front.
    return len(text) + text.count('"') + text.count("\\")


def _check_word(name: str, word: object, words: tuple[str, ...]) -> None:
    if word not in words:
        raise UsageError(
            f"{name} of Unique must be one of {', '.join(words)}; seen: {word!r:.100}"
            f"{did_you_mean(str(word), words)}"
        )
