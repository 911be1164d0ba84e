"""The generated Python package: it imports, talks, and says the contract's bytes."""

import importlib
import json
from pathlib import Path

import pytest
from google.protobuf import json_format

from reelgate.v1 import video_service_pb2

GENERATED = Path(__file__).parents[2] / "gen/python/src"
MODULES = sorted(
    path.relative_to(GENERATED).with_suffix("").as_posix().replace("/", ".")
    for path in (GENERATED / "reelgate").rglob("*_pb2*.py")
)


def test_there_are_modules_for_every_file_of_the_contract() -> None:
    contracts = sorted((Path(__file__).parents[2] / "proto/reelgate").rglob("*.proto"))
    assert len(MODULES) == 2 * len(contracts)


@pytest.mark.parametrize("module", MODULES)
def test_a_generated_module_imports(module: str) -> None:
    assert importlib.import_module(module).__name__ == module


def test_a_create_request_has_these_bytes_and_this_json() -> None:
    request = video_service_pb2.CreateJobRequest(model="local/storyboard", prompt="día", idempotency_key="k")
    request.clip_duration.FromSeconds(5)
    assert request.SerializeToString(deterministic=True).hex() == (
        "0a106c6f63616c2f73746f7279626f617264120464c3ad611a02080542016b"
    )
    assert json.loads(json_format.MessageToJson(request, preserving_proto_field_name=True)) == {
        "model": "local/storyboard",
        "prompt": "día",
        "clip_duration": "5s",
        "idempotency_key": "k",
    }
