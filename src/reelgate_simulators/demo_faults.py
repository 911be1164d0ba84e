"""Bad days for load tests: a share of all requests and notices goes wrong, in every way there is."""

from random import Random
from typing import Final

from reelgate_simulators.clock import Clock
from reelgate_simulators.fal_webhooks import Delivery, FalWebhooks
from reelgate_simulators.faults import (
    CutBody,
    Delay,
    Fault,
    Hang,
    Html,
    HugeJson,
    Reset,
    RetryAfter,
    Status,
    TruncatedJson,
    WrongTypes,
    accepted_but_lost,
)

DELAY_S: Final = 2.0
HUGE_BYTES: Final = 4 << 20
"""More than anybody should read of an answer to a question."""
FILE_OPERATIONS: Final = frozenset({"download", "media", "content", "cloud"})
"""Where the answer is a video and not JSON; half of one would be complete for all that HTTP says."""

_ANYWHERE: Final[tuple[Fault, ...]] = (
    Delay(DELAY_S),
    Hang(),
    Reset(),
    Status(500, {"detail": "Internal Server Error"}),
    Status(503, {"detail": "Service Unavailable"}),
    RetryAfter(1, body={"detail": "Too Many Requests"}),
    Html(502),
    CutBody(10),
)
_OF_JSON: Final[tuple[Fault, ...]] = (accepted_but_lost(), TruncatedJson(), HugeJson(HUGE_BYTES), WrongTypes())

_DELIVERIES: Final = (
    Delivery(copy_count=0),
    Delivery(copy_count=2),
    Delivery(delay_s=10.0),
    Delivery(is_forged=True),
    Delivery(is_altered=True),
    Delivery(signature_age_s=3600.0),
)
"""Ways for a notice to go wrong."""


class UnsteadyWebhooks(FalWebhooks):
    """Notices of which a share is lost, late, repeated or not to be believed."""

    def __init__(self, clock: Clock, probability: float) -> None:
        """Start as any.

        Args:
            clock: The simulator's.
            probability: 0 to 1; of a notice to go wrong.
        """
        super().__init__(clock)
        self._probability = probability
        self._random = Random(0)  # noqa: S311 (repeatable on purpose)

    def choose(self) -> Delivery:
        """Take the way of the next notice; one that was queued comes first."""
        if not self._deliveries and self._random.random() < self._probability:
            return self._random.choice(_DELIVERIES)
        return super().choose()


def faults_of(operation: str, probability: float) -> list[tuple[Fault, float]]:
    """Spread a probability evenly over the faults of an operation.

    Args:
        operation: As the simulator calls it.
        probability: 0 to 1; of a request to meet any of them.

    Returns:
        Rules for `FaultPlan.sometimes`, in that order: each with its probability where none before it has struck. None
        for a probability of 0.
    """
    if probability <= 0:
        return []
    faults = _ANYWHERE if operation in FILE_OPERATIONS else _ANYWHERE + _OF_JSON
    share = probability / len(faults)
    # The last of a certainty may come out a hair above 1.
    return [(fault, min(share / (1 - index * share), 1.0)) for index, fault in enumerate(faults)]
