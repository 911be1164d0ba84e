"""Rows of `envoy/cases`: one REST request, what the server sees of it, what it answers, what the client sees of that.

A row is an object with these keys; a key that is absent is not checked, or empty.

    name      a sentence
    request   `GET /v1/jobs/a`
    headers   of the request
    body      of the request: a string as it is, anything else as JSON
    call      what the server sees: `method`, `message` (all of it), `metadata` (some of it; null is absent). Absent if
              the server must not see the request at all
    reply     what the server answers: `messages`, `initial` and `trailing` metadata, `status` as google.rpc.Status
    response  what the client sees: `status`, `headers` (some of them; null is absent), `body` (a string is the body
              itself, an object is what its JSON says; its strings may name `{x-request-id}`, the response's header)
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from google.api import httpbody_pb2
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # noqa: F401

from reelgate.hooks.v1 import hooks_service_pb2
from tests.envoy.scripted_upstream import Reply, ScriptedUpstream

CASES = Path(__file__).parents[2] / "envoy" / "cases"
INTERNAL_HEADER = re.compile("x-envoy-.*|x-http-.*|x-error-body|x-content-length|x-reelgate-.*|grpc-.*")
"""What no REST client may see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row."""

    name: str
    row: dict[str, Any]

    @property
    def verb(self) -> str:
        """The HTTP method."""
        verb: str = self.row["request"].split(" ")[0]
        return verb

    @property
    def target(self) -> str:
        """The path and the query."""
        target: str = self.row["request"].split(" ", 1)[1]
        return target


def load_cases() -> list[Case]:
    """Read every row of every file."""
    return [
        Case(name=f"{file.stem}: {row['name']}", row=row)
        for file in sorted(CASES.glob("*.json"))
        for row in json.loads(file.read_text(encoding="utf-8"))
    ]


async def run(case: Case, upstream: ScriptedUpstream, client: httpx.AsyncClient) -> httpx.Response:
    """Send a row's request to a server that answers as the row says."""
    call = case.row.get("call")
    if call is not None:
        upstream.replies[call["method"]] = _to_reply(case.row.get("reply", {}), upstream, call["method"])
    body = case.row.get("body", "")
    content = body if isinstance(body, str) else json.dumps(body)
    # Built by hand, because httpx would mend the target.
    request = client.build_request(
        case.verb,
        "/",
        headers=case.row.get("headers", {}),
        content=content or None,
        extensions={"target": case.target.encode()},
    )
    return await client.send(request)


def check(case: Case, upstream: ScriptedUpstream, response: httpx.Response) -> None:
    """Compare what happened with the row."""
    _check_call(case.row.get("call"), upstream)
    expected = case.row["response"]
    assert response.status_code == expected["status"], response.text
    headers = response.headers
    _check_some(dict(headers), expected.get("headers", {}))
    assert [name for name in headers if INTERNAL_HEADER.fullmatch(name)] == []
    _check_request_id(case, upstream, headers["x-request-id"])
    assert int(headers.get("content-length", len(response.content))) == len(response.content) or case.verb == "HEAD"
    if isinstance(expected.get("body"), str):
        assert response.text == expected["body"]
    elif "body" in expected:
        text = json.dumps(expected["body"]).replace("{x-request-id}", headers["x-request-id"])
        assert response.json() == json.loads(text)


def _check_call(call: dict[str, Any] | None, upstream: ScriptedUpstream) -> None:
    if call is None:
        assert upstream.calls == []
        return
    (seen,) = upstream.calls
    assert seen.method == call["method"]
    assert seen.request == _to_message(call["message"], type(seen.request))
    _check_some(seen.metadata, call.get("metadata", {}))


def _check_request_id(case: Case, upstream: ScriptedUpstream, request_id: str) -> None:
    if case.target.startswith("/geekhub/") or re.match("/v1/(videos|models|nothing)", case.target):
        assert re.fullmatch("req_[0-9a-f]{24}", request_id)
        sent = {f"req_{call.metadata['x-request-id'].replace('-', '')[:24]}" for call in upstream.calls}
    else:
        assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request_id)
        sent = {call.metadata["x-request-id"] for call in upstream.calls}
    assert sent <= {request_id}


def _check_some(actual: dict[str, str], expected: dict[str, str | None]) -> None:
    assert {name: actual.get(name) for name in expected} == expected


def _to_reply(reply: dict[str, Any], upstream: ScriptedUpstream, method: str) -> Reply:
    kind = message_factory.GetMessageClass(upstream.methods[method].output_type)
    status = reply.get("status")
    return Reply(
        messages=[_to_message(each, kind) for each in reply.get("messages", [])],
        initial=list(reply.get("initial", {}).items()),
        trailing=list(reply.get("trailing", {}).items()),
        status=None if status is None else json_format.ParseDict(status, status_pb2.Status()),
    )


def _to_message(value: dict[str, Any], kind: type[Message]) -> Message:
    if kind is httpbody_pb2.HttpBody:
        # Text is easier to read than base64.
        return httpbody_pb2.HttpBody(content_type=value.get("content_type", ""), data=value.get("text", "").encode())
    if kind is hooks_service_pb2.ReceiveWebhookRequest:
        body = _to_message(value["body"], httpbody_pb2.HttpBody)
        return kind(**{**value, "body": body})
    return json_format.ParseDict(value, kind())
