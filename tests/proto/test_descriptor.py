"""Facts that must hold for every service, message and enum of the contract, read from the committed descriptor set."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

REPOSITORY = Path(__file__).parents[2]
DESCRIPTOR = FileDescriptorSet.FromString((REPOSITORY / "gen/descriptor/reelgate.binpb").read_bytes())
FILES = [file for file in DESCRIPTOR.file if file.package.startswith("reelgate.")]
NATIVE = [file for file in FILES if file.package in {"reelgate.v1", "reelgate.hooks.v1"}]
"""What follows our own rules; the others mirror a documented JSON."""

METHODS = [
    (f"{file.package}.{service.name}.{method.name}", method)
    for file in FILES
    for service in file.service
    for method in service.method
]


def messages(file: FileDescriptorProto) -> Iterator[DescriptorProto]:
    yield from file.message_type


def bindings(method: MethodDescriptorProto) -> list[tuple[str, str]]:
    """Every HTTP method and path of an RPC."""
    rule = method.options.Extensions[annotations_pb2.http]
    found = []
    for each in (rule, *rule.additional_bindings):
        kind = each.WhichOneof("pattern")
        found.append((each.custom.kind, each.custom.path) if kind == "custom" else (kind.upper(), getattr(each, kind)))
    return found


def test_the_contract_has_its_nine_services() -> None:
    services = {f"{file.package}.{service.name}" for file in FILES for service in file.service}
    assert services == {
        "reelgate.v1.VideoService",
        "reelgate.v1.ModelService",
        "reelgate.v1.MediaService",
        "reelgate.v1.AccountService",
        "reelgate.shared.v1.SharedService",
        "reelgate.geekhub.v1.GeekHubService",
        "reelgate.kyma.v1.KymaService",
        "reelgate.concurred.v1.ConcurredService",
        "reelgate.hooks.v1.HooksService",
    }


@pytest.mark.parametrize(("name", "method"), METHODS, ids=[name for name, _ in METHODS])
def test_every_method_has_an_http_binding(name: str, method: MethodDescriptorProto) -> None:
    assert bindings(method), name


def test_no_path_is_bound_twice() -> None:
    paths = [binding for _, method in METHODS for binding in bindings(method)]
    assert len(paths) == len(set(paths))


def test_the_documented_paths_are_bound_literally() -> None:
    paths = {binding for _, method in METHODS for binding in bindings(method)}
    assert {
        ("POST", "/v1/videos/generations"),
        ("GET", "/v1/videos/{id}"),
        ("GET", "/v1/models"),
        ("GET", "/v1/jobs/{id}"),
        ("POST", "/v1/genmedia/jobs"),
        ("GET", "/v1/pricing"),
        ("GET", "/v1/limits/tiers"),
        ("GET", "/v1/credits/balance"),
        ("POST", "/api/v1/video/generate"),
        ("GET", "/api/v1/video/status"),
        ("POST", "/geekhub/v1/videos/generations"),
        ("POST", "/kyma/v1/videos/generations"),
        ("POST", "/concurred/api/v1/video/generate"),
        ("POST", "/reelgate/v1/jobs"),
        ("GET", "/reelgate/v1/jobs/{job_id}:watch"),
        ("POST", "/hooks/{provider}/{job_id}"),
        ("HEAD", "/media/generated-videos/{account_id}/{job_id}/{file}"),
    } <= paths


def test_every_field_of_a_native_request_says_how_it_behaves() -> None:
    silent = [
        f"{message.name}.{field.name}"
        for file in NATIVE
        for message in messages(file)
        if message.name.endswith("Request")
        for field in message.field
        if not field.options.Extensions[field_behavior_pb2.field_behavior]
    ]
    assert silent == []


def test_every_enum_begins_with_an_unspecified_zero() -> None:
    zeros = {enum.name: enum.value[0].name for file in FILES for enum in file.enum_type}
    assert zeros
    assert all(zero.endswith("_UNSPECIFIED") for zero in zeros.values()), zeros


def test_no_native_field_is_unsigned_or_a_float() -> None:
    refused = {
        FieldDescriptorProto.TYPE_UINT32,
        FieldDescriptorProto.TYPE_UINT64,
        FieldDescriptorProto.TYPE_FLOAT,
        FieldDescriptorProto.TYPE_DOUBLE,
    }
    found = [
        f"{message.name}.{field.name}"
        for file in NATIVE
        for message in messages(file)
        for field in message.field
        if field.type in refused
    ]
    assert found == []


def test_every_amount_of_money_is_in_micros_beside_a_currency() -> None:
    for file in NATIVE:
        for message in messages(file):
            names = {field.name for field in message.field}
            if any(name.endswith("_micros") for name in names):
                assert "currency" in names, message.name


def test_the_types_of_error_details_are_in_the_descriptor_set() -> None:
    """Envoy cannot turn a rich status into JSON without them."""
    names = {file.name for file in DESCRIPTOR.file}
    assert {"google/rpc/error_details.proto", "google/rpc/status.proto"} <= names
