"""What `Metrics` promises. `test_metrics.py` runs it over every adapter."""

from datetime import timedelta

from reelgate_server.domain.ids import ProviderName
from reelgate_server.ports.metrics import Metrics

FAL, VERTEX = ProviderName("fal"), ProviderName("vertex")


class MetricsContract:
    """Subclasses give a `metrics` fixture, and read what was measured."""

    def lag_s(self, metrics: Metrics) -> float:
        """The lag last set, in seconds."""
        raise AssertionError("say how")

    def drives(self, metrics: Metrics) -> dict[str, float]:
        """The drives last set, by provider."""
        raise AssertionError("say how")

    def calls(self, metrics: Metrics) -> dict[tuple[str, str, str], float]:
        """The calls counted, by provider, operation and outcome."""
        raise AssertionError("say how")

    def test_nothing_is_measured_of_what_has_not_happened(self, metrics: Metrics) -> None:
        assert (self.drives(metrics), self.calls(metrics)) == ({}, {})

    def test_the_lag_is_the_last_that_was_set(self, metrics: Metrics) -> None:
        for lag in (timedelta(hours=1), timedelta(milliseconds=1500)):
            metrics.set_lag(lag)
        assert self.lag_s(metrics) == 1.5
        metrics.set_lag(timedelta())
        assert self.lag_s(metrics) == 0

    def test_the_drives_of_each_provider_are_the_last_that_were_set(self, metrics: Metrics) -> None:
        metrics.set_drives(FAL, 7)
        metrics.set_drives(VERTEX, 2)
        metrics.set_drives(FAL, 0)
        assert self.drives(metrics) == {"fal": 0, "vertex": 2}

    def test_calls_are_counted_by_provider_operation_and_outcome(self, metrics: Metrics) -> None:
        for _ in range(3):
            metrics.count_call(FAL, "poll", "ok")
        metrics.count_call(FAL, "poll", "timeout")
        metrics.count_call(FAL, "submit", "ok")
        metrics.count_call(VERTEX, "poll", "ok")
        assert self.calls(metrics) == {
            ("fal", "poll", "ok"): 3,
            ("fal", "poll", "timeout"): 1,
            ("fal", "submit", "ok"): 1,
            ("vertex", "poll", "ok"): 1,
        }

    def test_any_name_of_a_provider_can_be_measured(self, metrics: Metrics) -> None:
        # Operators choose the names of their own servers.
        metrics.set_drives(ProviderName("my-gpu_1"), 1)
        metrics.count_call(ProviderName("my-gpu_1"), "copy", "storage")
        assert self.drives(metrics) == {"my-gpu_1": 1}
        assert self.calls(metrics) == {("my-gpu_1", "copy", "storage"): 1}
