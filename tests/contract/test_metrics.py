"""Everything that takes measurements keeps the promises of `ports/metrics.py`."""

import asyncio
import socket
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus

import httpx
import pytest

from reelgate_server.adapters.metrics import PrometheusMetrics
from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.metrics import Metrics
from tests.contract.metrics_contract import MetricsContract
from tests.support.metrics import MemoryMetrics


class TestMemoryMetrics(MetricsContract):
    @pytest.fixture
    def metrics(self) -> MemoryMetrics:
        return MemoryMetrics()

    def lag_s(self, metrics: Metrics) -> float:
        assert isinstance(metrics, MemoryMetrics)
        assert metrics.lag is not None
        return metrics.lag.total_seconds()

    def drives(self, metrics: Metrics) -> dict[str, float]:
        assert isinstance(metrics, MemoryMetrics)
        return dict(metrics.drives)

    def calls(self, metrics: Metrics) -> dict[tuple[str, str, str], float]:
        assert isinstance(metrics, MemoryMetrics)
        return dict(metrics.calls)


class TestPrometheusMetrics(MetricsContract):
    @pytest.fixture
    def metrics(self) -> Iterator[PrometheusMetrics]:
        with PrometheusMetrics() as metrics:
            yield metrics

    def lag_s(self, metrics: Metrics) -> float:
        ((_, lag_s),) = _samples(metrics, "reelgate_drive_lag_seconds")
        return lag_s

    def drives(self, metrics: Metrics) -> dict[str, float]:
        return {labels["provider"]: value for labels, value in _samples(metrics, "reelgate_drives")}

    def calls(self, metrics: Metrics) -> dict[tuple[str, str, str], float]:
        return {
            (labels["provider"], labels["operation"], labels["outcome"]): value
            for labels, value in _samples(metrics, "reelgate_provider_calls_total")
        }


def _samples(metrics: Metrics, name: str) -> list[tuple[dict[str, str], float]]:
    assert isinstance(metrics, PrometheusMetrics)
    samples = (sample for family in metrics.registry.collect() for sample in family.samples)
    return [(sample.labels, sample.value) for sample in samples if sample.name == name]


async def _get(port: int | None) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"http://127.0.0.1:{port}/metrics")


class TestServing:
    async def test_measurements_are_served_on_loopback_in_the_prometheus_format(self) -> None:
        with PrometheusMetrics(port=0) as metrics:
            metrics.set_lag(timedelta(seconds=2.5))
            metrics.set_drives(ProviderName("fal"), 3)
            metrics.count_call(ProviderName("fal"), "submit", "throttled")
            response = await _get(metrics.port)
        assert response.status_code == HTTPStatus.OK
        assert response.headers["content-type"].startswith("text/plain; version=")
        lines = response.text.splitlines()
        assert "reelgate_drive_lag_seconds 2.5" in lines
        assert 'reelgate_drives{provider="fal"} 3.0' in lines
        assert 'reelgate_provider_calls_total{operation="submit",outcome="throttled",provider="fal"} 1.0' in lines

    async def test_they_are_the_present_ones_at_each_request(self) -> None:
        with PrometheusMetrics(port=0) as metrics:
            for count in (1, 2):
                metrics.set_drives(ProviderName("fal"), count)
                assert f'reelgate_drives{{provider="fal"}} {count}.0' in (await _get(metrics.port)).text

    async def test_only_this_servers_own_measurements_are_served(self) -> None:
        with PrometheusMetrics(port=0) as metrics, PrometheusMetrics(port=0) as other:
            metrics.set_drives(ProviderName("fal"), 1)
            assert 'provider="fal"' not in (await _get(other.port)).text
            assert "python_info" not in (await _get(metrics.port)).text

    async def test_nothing_is_served_without_a_port(self) -> None:
        with PrometheusMetrics() as metrics:
            assert metrics.port is None

    async def test_nothing_is_served_after_the_end_and_the_port_is_free_again(self) -> None:
        with PrometheusMetrics(port=0) as metrics:
            port = metrics.port
        with pytest.raises(httpx.ConnectError):
            await _get(port)
        with PrometheusMetrics(port=port) as again:
            assert again.port == port

    async def test_a_port_that_is_taken_is_refused(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(OSError, match="Address already in use"), PrometheusMetrics(port=taken.getsockname()[1]):
                pass

    async def test_a_reader_that_says_nothing_holds_up_nobody(self) -> None:
        with PrometheusMetrics(port=0) as metrics:
            _, writer = await asyncio.open_connection("127.0.0.1", metrics.port)
            assert (await _get(metrics.port)).status_code == HTTPStatus.OK
            writer.close()
            await writer.wait_closed()
