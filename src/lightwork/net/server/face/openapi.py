"""OpenAPI: the document of everything that a server can be asked, drawn from its routes (version 3.1).

Schemas are msgspec's, of the very types that requests are decoded into and answers encoded from: JSON
Schema 2020-12, in which bytes are base64. `x-roles` names who may ask beside "admin".
"""

import re
import types
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from lightwork.net.server.request import Caller, Reply, Request
from lightwork.net.server.routes import Route
from lightwork.net.wire import media
from lightwork.net.wire.failures import Failure

PATH: Final = "/openapi.json"
_REFERENCE: Final = "#/components/schemas/{name}"
_CALL: Final = {
    "name": "call",
    "in": "query",
    "description": "An id of the caller's for this call: sent again with it to the same server process, it is done once.",
    "schema": {"type": "string", "maxLength": 64},
}


def document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """Return the document of these routes."""
    listed = list(routes)
    kinds = [kind for route in listed for kind in (route.request, route.result) if kind is not None]
    schemas, components = msgspec.json.schema_components([*kinds, Failure], ref_template=_REFERENCE)
    said = iter(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for route in listed:
        request = next(said) if route.request is not None else None
        result = next(said) if route.result is not None else None
        operation = dict(_operation(route, request, result))
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "lightwork", "version": version},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "lightwork": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Signature",
                    "description": "A session's signature, where the server has a key: "
                    "docs/wire-protocol.md.",
                }
            },
        },
    }


def document_route(routes: Iterable[Route], version: str) -> Route:
    """Return the route that answers with the document of these routes."""
    body = media.encode(document(routes, version), media.JSON)

    async def answer(_: Request, __: Caller, ___: Mapping[str, str]) -> Reply:
        return Reply(200, body, media.JSON)

    return Route("GET", PATH, None, answer, None, dict[str, Any], "This document.")


def _operation(route: Route, request: Any, result: Any) -> Iterator[tuple[str, Any]]:
    yield "operationId", _operation_id(route)
    yield "summary", route.summary
    if parameters := list(_parameters(route)):
        yield "parameters", parameters
    if request is not None:
        yield "requestBody", {"required": True, "content": _content(request)}
    failure = _content({"$ref": _REFERENCE.format(name="Failure")})
    done = {"description": "Done."} | ({"content": _content(result)} if result is not None else {})
    yield "responses", {"200": done, "default": {"description": "Not done.", "content": failure}}
    if route.roles is not None:
        yield "security", [{"lightwork": []}, {}]
        yield "x-roles", [*route.roles, *["admin"] * ("admin" not in route.roles)]


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", route.path.removeprefix("/v1"))
    return "_".join([route.method.lower(), *words])


def _content(schema: Any) -> dict[str, Any]:
    return {media.JSON: {"schema": schema}}


def _parameters(route: Route) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", route.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": msgspec.json.schema(uuid.UUID),
        }
    if route.query is not None:
        for field in msgspec.structs.fields(route.query):
            yield {"name": field.name, "in": "query", "schema": _schema_of(field)}
    if route.is_once:
        yield _CALL


def _schema_of(field: Any) -> dict[str, Any]:
    # Left out is how a query says None.
    kind, *_ = (part for part in _parts(field.type) if part is not type(None))
    schema = msgspec.json.schema(kind)
    schema = schema["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return schema | ({"default": field.default} if field.default is not None else {})


def _parts(kind: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the one that it is."""
    return get_args(kind) if get_origin(kind) in {types.UnionType, Union} else (kind,)
