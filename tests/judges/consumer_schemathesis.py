"""schemathesis asks a server whatever its own OpenAPI document allows, and what it does not allow.

Each route is asked by a bounded number of examples, the same in every run. No answer may be an error of the server's, and each
must be as the document says. What is asked may change the store: it is a file of the test.
"""

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.errors import InvalidSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from lightwork.net.server.app import App
from lightwork.net.server.serve import Server, listen
from lightwork.store.sqlstore import open_store

SHAPES = response_schema_conformance
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    SHAPES,
    unsupported_method,
]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("store") / "work.db"
    is_ready = threading.Event()
    with closing(open_store(f"sqlite:///{path}")) as store, closing(listen("127.0.0.1", 0)) as at:
        server = Server(App(store), at, on_ready=is_ready.set)
        serving = threading.Thread(target=server.serve_here)
        serving.start()
        assert is_ready.wait(30)
        port = at.getsockname()[1]
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
        server.should_exit = True
        serving.join()


bounded = settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_answers_are_as_the_document_says(document: Any) -> None:
    wrong = {}
    for operation in document.get_all_operations():
        asked = operation.ok()
        try:
            ask_all(asked.as_strategy())
        except (AssertionError, BaseExceptionGroup) as error:
            wrong[asked.label] = str(error)

    assert wrong == {}


def ask_all(cases: Any) -> None:
    @bounded
    @given(case=cases)
    def ask_each(case: schemathesis.Case) -> None:
        ask(case)

    ask_each()


def ask(case: schemathesis.Case) -> None:
    if case.path == "/v1/changes" and isinstance(case.body, dict):
        # Nobody waits for so long here.
        case.body["wait"] = 0.0

    try:
        case.call_and_validate(checks=CHECKS)
    except InvalidSchema:
        # It writes tuples (`prefixItems`) as the drafts before 2020-12 have them, and refuses that.
        case.call_and_validate(checks=[one for one in CHECKS if one is not SHAPES])
