"""What goes wrong at a simulated provider, and how often: every fault there is, at every operation."""

import itertools
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

from reelgate_simulators.base import SimulatedProvider
from reelgate_simulators.clock import Clock
from reelgate_simulators.fal_webhooks import Delivery, FalWebhooks
from reelgate_simulators.faults import (
    CutBody,
    Delay,
    Fault,
    FaultPlan,
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
from reelgate_simulators.minimax import MinimaxSimulator, minimax_error

SIGNATURE: Final = "c0ffee5ignature"
"""Of an address that a provider quotes in an error; it must not be kept."""
SUBMITS: Final = frozenset({"submit", "create"})
FILES: Final = frozenset({"download", "media", "content", "cloud"})
"""Where the answer is a video and not JSON; half of one would be complete for all that HTTP says."""
SHARES: Final = {"submit": 0.3, "create": 0.3, "cancel": 0.4, "delete": 0.6}
SHARE: Final = 0.2
"""Of the requests of any other operation that meet a fault."""
BRIEF, LONG = Delay(4), Delay(90)
"""Within the limit of a call, and far beyond: what was asked then happens when nobody waits for it any more."""

_ANYWHERE: Final[tuple[Fault, ...]] = (
    BRIEF,
    LONG,
    Hang(),
    Reset(),
    Status(500, {"detail": "Internal Server Error"}),
    Status(503, {"detail": "Service Unavailable"}),
    RetryAfter(9, body={"detail": "Too Many Requests"}),
    Html(502),
    CutBody(10),
)
_OF_JSON: Final[tuple[Fault, ...]] = (
    accepted_but_lost(),
    TruncatedJson(),
    HugeJson((1 << 20) + 1),
    WrongTypes(),
    Html(200, takes_effect=True),
    Status(504, takes_effect=True),
)
_OF_SUBMITS: Final[tuple[Fault, ...]] = (
    # Of the surely refused more than one each, so that many jobs go on to another provider.
    Status(503, {"detail": "Service Unavailable"}),
    Status(503),
    RetryAfter(9),
    RetryAfter(30, code=503),
    RetryAfter(4),
    Hang(takes_effect=True),
    Html(502, takes_effect=True),
    Status(500, {"detail": "Internal Server Error"}, takes_effect=True),
)
_OF_QUESTIONS: Final[tuple[Fault, ...]] = (
    # A proxy's word on a path, and not the provider's on a task.
    Html(404),
    Status(401, {"detail": "Authentication is required"}),
)
_OF_MINIMAX: Final[tuple[Fault, ...]] = (minimax_error(1002), minimax_error(1024), minimax_error(1001))


SPELL_INTERVAL_S: Final = 100.0
"""Mean time of fair weather between two spells of one provider."""
SPELL_S: Final = (15.0, 45.0)
"""How short and how long one may be."""
_SPELLS: Final[tuple[Fault, ...]] = (
    Html(404),
    Html(200),
    Html(503),
    Status(401, {"detail": "Authentication is required"}),
    Status(500, {"detail": "Internal Server Error"}),
    RetryAfter(20),
    Reset(),
    Hang(),
)
"""What a whole provider has for a while, each in its turn. None of it has any effect."""


class BadDay(FaultPlan):
    """Faults by chance, and spells in which every request meets the same."""

    def __init__(self, clock: Clock, random: Random) -> None:
        """Begin with fair weather."""
        super().__init__(random=random)
        self._clock = clock
        self._chance = random
        self._spells = itertools.cycle(random.sample(_SPELLS, len(_SPELLS)))
        self._spell: Fault = Reset()
        self._end_s = 0.0
        self._next_s = random.expovariate(1 / SPELL_INTERVAL_S)

    def take(self, operation: str) -> Fault | None:
        now_s = self._clock.monotonic_s()
        if now_s >= self._next_s:
            self._spell = next(self._spells)
            self._end_s = now_s + self._chance.uniform(*SPELL_S)
            self._next_s = self._end_s + self._chance.expovariate(1 / SPELL_INTERVAL_S)
        if now_s >= self._end_s:
            return super().take(operation)
        self.applied.append((operation, self._spell))
        return self._spell


def spoil(provider: SimulatedProvider[Any], secret: str) -> None:
    """Give a simulator a fault plan for each of its operations.

    Args:
        provider: Whose plan is filled.
        secret: A credential that it takes, for the error that quotes one.
    """
    telling = _telling(secret)
    for operation in provider.operations():
        rules: list[Fault] = [*_ANYWHERE, telling]
        if operation.name not in FILES:
            rules += _OF_JSON
            rules += _OF_SUBMITS if operation.name in SUBMITS else _OF_QUESTIONS
            rules += _OF_MINIMAX if isinstance(provider, MinimaxSimulator) else ()
        else:
            rules.append(Html(200))
        for fault, probability in _spread(rules, SHARES.get(operation.name, SHARE)):
            provider.faults.sometimes(operation.name, fault, probability)


def _telling(secret: str) -> Fault:
    """An error that quotes what nobody may keep."""
    text = f"upstream refused {secret} for https://cdn.test/video.mp4?X-Goog-Signature={SIGNATURE}"
    base = {"status_code": 1024, "status_msg": text}
    return Status(500, {"detail": text, "error": {"message": text, "code": 500}, "base_resp": base})


def _spread(faults: Sequence[Fault], share: float) -> Iterator[tuple[Fault, float]]:
    """Rules for `FaultPlan.sometimes`: each with its probability where none before it has struck."""
    each = share / len(faults)
    return ((fault, each / (1 - index * each)) for index, fault in enumerate(faults))


GENUINE: Final[tuple[Delivery, ...]] = (
    Delivery(),
    Delivery(),
    Delivery(copy_count=2),
    Delivery(delay_s=45),
    Delivery(delay_s=900),
    Delivery(is_of_other_attempt=True),
    Delivery(has_payload_error=True),
)
"""Ways of a notice that is to be believed, sooner or later."""
LOST: Final = Delivery(copy_count=0)
FALSE: Final[tuple[Delivery, ...]] = (
    Delivery(is_forged=True),
    Delivery(is_altered=True),
    Delivery(signature_age_s=3600),
    Delivery(signature_age_s=-3600),
)
"""Ways of a notice that is not."""


class UnsteadyWebhooks(FalWebhooks):
    """Notices that are late, repeated, lost or not to be believed, and by which of these ways each went."""

    def __init__(self, clock: Clock, random: Random) -> None:
        """Choose the ways by `random`."""
        super().__init__(clock)
        self._random = random
        self.retry_delays_s = (20, 40, 60, 120)
        self.ways: dict[str, Delivery] = {}
        """By request id."""

    def choose(self) -> Delivery:
        chance = self._random.random()
        if chance < 0.1:
            return LOST
        return self._random.choice(FALSE if chance < 0.25 else GENUINE)

    async def deliver(self, url: str, notice: dict[str, Any], delivery: Delivery) -> None:
        self.ways[notice["request_id"]] = delivery
        await super().deliver(url, notice, delivery)
