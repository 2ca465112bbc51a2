"""Routes: what a server can be asked, each with the roles that it is for; there is nothing beside them.

Found by the path as it was sent, never decoded: what authorises and what answers can so not read a path
in two ways. Not for a role means refused, and what is in no route is refused for everybody alike.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lightwork.net.keys.roles import ROLES, Role
from lightwork.net.server.request import Caller, Reply, Request
from lightwork.net.wire.failures import Refused

Answerer = Callable[[Request, Caller, Mapping[str, str]], Awaitable[Reply]]
EVERYBODY: Final = ROLES


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked.

    Attributes:
        method: Of HTTP.
        path: With `{name}` for a segment that varies.
        roles: Who may ask, beside "admin"; None: whoever comes, without any proof.
        answer: Answers.
        request: The type of the body; None: there is none.
        result: The type of the answer.
        summary: In a few words.
        query: The Struct of what may stand behind `?`.
        is_once: It changes something, so a call has an id; see answers.py.
    """

    method: str
    path: str
    roles: tuple[Role, ...] | None
    answer: Answerer
    request: Any = None
    result: Any = None
    summary: str = ""
    query: type[msgspec.Struct] | None = None
    is_once: bool = False

    def allows(self, caller: Caller) -> bool:
        """Whether the caller may ask this."""
        return caller.role == "admin" or caller.role in (self.roles or ())


class Routes:
    """All of them."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.all = tuple(routes)
        self._fixed = {(one.method, one.path): one for one in self.all if "{" not in one.path}
        self._varying = [one for one in self.all if "{" in one.path]

    def open(self, request: Request) -> Route | None:
        """Return the route of a request that needs no proof; None: it needs one."""
        route = self._fixed.get((request.method, request.path))
        return route if route is not None and route.roles is None else None

    def find(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        """Return the route of a request, and what varies in its path.

        Raises:
            Refused: There is none.
        """
        route = self._fixed.get((request.method, request.path))
        if route is not None:
            return route, {}
        is_known = False
        for one in self._varying:
            found = _match(one.path, request.path)
            if found is not None:
                if one.method == request.method:
                    return one, found
                is_known = True
        if is_known or any(one.path == request.path for one in self.all):
            raise Refused(
                405, "UsageError", f"{request.method:.20} cannot be asked of {request.path:.200}"
            )
        raise Refused(404, "UsageError", f"there is no {request.path:.200}; see /openapi.json")


def _match(pattern: str, path: str) -> Mapping[str, str] | None:
    names, words = pattern.split("/"), path.split("/")
    if len(names) != len(words):
        return None
    found = {}
    for name, word in zip(names, words, strict=True):
        if name.startswith("{"):
            found[name[1:-1]] = word
        elif name != word:
            return None
    return found
