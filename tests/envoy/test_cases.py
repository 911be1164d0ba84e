"""The golden cases, through a real Envoy."""

import re
from collections import Counter

import httpx
import pytest
from google.api import annotations_pb2

from tests.envoy.conftest import DESCRIPTOR
from tests.envoy.golden import Case, check, load_cases, run
from tests.envoy.scripted_upstream import ScriptedUpstream, load_methods

CASES = load_cases()


def test_no_case_was_lost() -> None:
    assert len(CASES) == 182
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_case(case: Case, upstream: ScriptedUpstream, client: httpx.AsyncClient) -> None:
    check(case, upstream, await run(case, upstream, client))


def bindings() -> list[tuple[str, str, str]]:
    """Every documented way in: gRPC method, HTTP method, path template."""
    found = []
    for name, method in load_methods(DESCRIPTOR).items():
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        for each in (rule, *rule.additional_bindings):
            pattern = each.WhichOneof("pattern")
            if pattern == "custom":
                found.append((name, each.custom.kind, each.custom.path))
            else:
                found.append((name, str(pattern).upper(), getattr(each, str(pattern))))
    return found


@pytest.mark.parametrize(("method", "verb", "template"), bindings())
def test_every_binding_has_a_case_that_reaches_its_method(method: str, verb: str, template: str) -> None:
    path = re.compile(re.sub(r"\\{.*?\\}", "[^/]+", re.escape(template)))
    assert [
        case.name
        for case in CASES
        if case.verb == verb
        and path.fullmatch(case.target.split("?")[0])
        and case.row.get("call", {}).get("method") == method
    ]
