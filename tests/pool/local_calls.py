"""Locals and what uses them, importable by children."""

import feature_calls

from lightwork.pool.call.local import Local

MADE = [0]


class Connection:
    """Knows where it was made, and how many there were before it."""

    def __init__(self) -> None:
        MADE[0] += 1
        self.number = MADE[0]
        self.place = feature_calls.here()
        self.path = ""

    def close(self) -> None:
        if self.path:
            feature_calls.write(self.path, f"{self.number}@{self.place}")


def refuse() -> Connection:
    raise ConnectionRefusedError("not today")


connection = Local(Connection, Connection.close)
broken = Local(refuse)


def number() -> int:
    return connection.value.number


def number_of(local: "Local[Connection]") -> int:
    return local.value.number


def place() -> tuple[str, str]:
    return connection().place, feature_calls.here()


def close_into(path: str) -> str:
    connection.value.path = path
    return f"{connection.value.number}@{feature_calls.here()}"


def close_local_into(local: "Local[Connection]", path: str) -> str:
    local.value.path = path
    return f"{local.value.number}@{feature_calls.here()}"


def use_broken() -> Connection:
    return broken.value


def is_own(local: object) -> bool:
    """Whether what came is this process's own global."""
    return local is connection
