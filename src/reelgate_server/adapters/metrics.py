"""Measurements in the Prometheus format, kept in this process."""

from datetime import timedelta
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from reelgate_server.domain.ids import ProviderName


class PrometheusMetrics:
    """Implements `Metrics`; served over HTTP while it is open, if it has a port."""

    def __init__(self, host: str = "127.0.0.1", port: int | None = None) -> None:
        """Prepare.

        Args:
            host: Address to listen on.
            port: 0 lets the system choose; None serves nothing.
        """
        self._host = host
        self._port = port
        self.registry = CollectorRegistry()
        self._lag = Gauge(
            "reelgate_drive_lag_seconds",
            "How long the job that has been due longest waits for a driver.",
            registry=self.registry,
        )
        self._drives = Gauge(
            "reelgate_drives", "Jobs that this process drives now.", ["provider"], registry=self.registry
        )
        self._calls = Counter(
            "reelgate_provider_calls",
            "Calls to providers, by how they went.",
            ["provider", "operation", "outcome"],
            registry=self.registry,
        )

    def __enter__(self) -> Self:
        """Serve.

        Raises:
            OSError: The port is taken.
        """
        if self._port is not None:
            self._server, self._thread = start_http_server(self._port, self._host, self.registry)
            self._port = self._server.server_port
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Serve no longer."""
        if self._port is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    @property
    def port(self) -> int | None:
        """Where it is served; None if it is not."""
        return self._port

    def set_lag(self, lag: timedelta) -> None:
        """See `Metrics.set_lag`."""
        self._lag.set(lag.total_seconds())

    def set_drives(self, provider: ProviderName, count: int) -> None:
        """See `Metrics.set_drives`."""
        self._drives.labels(provider).set(count)

    def count_call(self, provider: ProviderName, operation: str, outcome: str) -> None:
        """See `Metrics.count_call`."""
        self._calls.labels(provider, operation, outcome).inc()
