"""The configuration as a document: what can be said of it without a request."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from reelgate_server.envoy import EnvoyNotFound, command, envoy_binary, render_config
from tests.envoy.conftest import CONFIG, DESCRIPTOR, LUA, ROOT
from tests.envoy.scripted_upstream import load_methods


def load() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return config


def manager(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def filters(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each["typed_config"] for each in manager(config)["http_filters"]}


def find_route(path: str) -> dict[str, Any]:
    """The route that a gRPC call takes, as Envoy finds it: the first that matches."""
    for route in manager(load())["route_config"]["virtual_hosts"][0]["routes"]:
        match = route["match"]
        if "headers" not in match and (match.get("path") == path or path.startswith(match.get("prefix", "\n"))):
            found: dict[str, Any] = route
            return found
    raise AssertionError(path)


def test_envoy_accepts_the_configuration_as_it_stands() -> None:
    ran = subprocess.run(
        [envoy_binary(), "--mode", "validate", "-c", "envoy/envoy.yaml", "--disable-hot-restart"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "configuration 'envoy/envoy.yaml' OK" in ran.stdout


@pytest.mark.parametrize("method", sorted(load_methods(DESCRIPTOR)))
def test_every_method_is_transcoded_and_routed(method: str) -> None:
    service, _ = method.split("/")
    assert service in filters(load())["envoy.filters.http.grpc_json_transcoder"]["services"]
    assert find_route(f"/{method}")["route"]["cluster"] == "server"


@pytest.mark.parametrize(
    ("path", "timeout", "idle_timeout"),
    [
        ("/reelgate.v1.VideoService/WatchJob", "0s", "90s"),
        ("/reelgate.concurred.v1.ConcurredService/GenerateVideo", "1200s", "1260s"),
        ("/reelgate.v1.MediaService/Download", "0s", "120s"),
        ("/reelgate.v1.VideoService/CreateJob", "30s", None),
        ("/reelgate.shared.v1.SharedService/CreateVideo", "30s", None),
        ("/reelgate.hooks.v1.HooksService/ReceiveWebhook", "15s", None),
        ("/grpc.health.v1.Health/Watch", "0s", "3600s"),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "0s", None),
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "0s", None),
    ],
)
def test_each_kind_of_call_has_its_time(path: str, timeout: str, idle_timeout: str | None) -> None:
    route = find_route(path)["route"]
    assert (route["timeout"], route.get("idle_timeout")) == (timeout, idle_timeout)


def test_a_service_that_is_not_public_is_not_routed() -> None:
    assert find_route("/reelgate.admin.v1.AdminService/CreateAccount")["direct_response"] == {"status": 404}


def test_filters_stand_in_the_order_that_the_contract_needs() -> None:
    assert [each["name"].removeprefix("envoy.filters.http.") for each in manager(load())["http_filters"]] == [
        "lua",
        "cors",
        "health_check",
        "grpc_web",
        "buffer",
        "grpc_json_transcoder",
        "router",
    ]


def test_rendering_changes_addresses_and_paths_and_nothing_else(tmp_path: Path) -> None:
    rendered = yaml.safe_load(
        render_config(
            CONFIG,
            listen=("0.0.0.0", 80),  # noqa: S104
            upstream=("server.internal", 443),
            admin_port=7,
            descriptor=tmp_path / "d.binpb",
            lua=Path("r.lua"),
        )
    )
    expected = load()
    expected["admin"]["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": 7}
    resources = expected["static_resources"]
    resources["listeners"][0]["address"]["socket_address"] = {"address": "0.0.0.0", "port_value": 80}  # noqa: S104
    endpoint = resources["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    endpoint["address"]["socket_address"] = {"address": "server.internal", "port_value": 443}
    filters(expected)["envoy.filters.http.grpc_json_transcoder"]["proto_descriptor"] = str(tmp_path / "d.binpb")
    filters(expected)["envoy.filters.http.lua"]["default_source_code"] = {"filename": str(Path.cwd() / "r.lua")}
    assert rendered == expected


def test_rendering_the_defaults_changes_only_the_two_paths() -> None:
    rendered = yaml.safe_load(
        render_config(
            CONFIG,
            listen=("127.0.0.1", 8080),
            upstream=("127.0.0.1", 50051),
            admin_port=9901,
            descriptor=DESCRIPTOR,
            lua=LUA,
        )
    )
    filters(rendered)["envoy.filters.http.grpc_json_transcoder"]["proto_descriptor"] = "gen/descriptor/reelgate.binpb"
    filters(rendered)["envoy.filters.http.lua"]["default_source_code"] = {"filename": "envoy/response.lua"}
    assert rendered == load()


def test_the_command_runs_one_envoy_beside_others() -> None:
    assert command(Path("/bin/envoy"), Path("/tmp/e.yaml"), drain_time=timedelta(seconds=3)) == [  # noqa: S108
        "/bin/envoy",
        "--config-path",
        "/tmp/e.yaml",  # noqa: S108
        "--disable-hot-restart",
        "--concurrency",
        "2",
        "--drain-time-s",
        "3",
        "--log-level",
        "warning",
        "--log-format",
        "envoy %L %n: %v",
    ]


def test_the_binary_beside_the_interpreter_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert envoy_binary() == Path(sys.executable).parent / "envoy"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    on_path = tmp_path / "bin" / "envoy"
    on_path.parent.mkdir()
    on_path.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert envoy_binary() == on_path
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvoyNotFound):
        envoy_binary()
