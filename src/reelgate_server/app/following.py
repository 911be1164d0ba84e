"""What one process remembers of the tasks it follows. All of it may be lost, at the price of some looks more.

Several processes may take turns at one job, and none knows what the others were answered. That a look says "no such
task" only counts as one in a row if no other process can have looked since the one before.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.ids import JobId, ModelId, ProviderName
from reelgate_server.domain.job import Job
from reelgate_server.domain.looking import INTERVAL_MAX, earliest_end, granted, next_look

OBSERVED_COUNT_MAX = 32
"""Renders of one model at one provider that are remembered, the latest."""
TROUBLED_COUNT_MAX = 100_000
"""Jobs whose last look failed; the oldest are forgotten first, which costs them some looks."""


@dataclass(slots=True)
class _Trouble:
    """Looks in a row that brought no answer about a task."""

    failure_count: int = 0
    unknown_count: int = 0
    """The last of them at which the provider said that it has no such task."""
    look_time: datetime | None = None
    """When this process chose to look next."""
    patience: timedelta = timedelta()
    """How much later than that the look may come, with no other process having looked in between."""
    sequence: int = 0
    """Of the job when that time was chosen."""


@dataclass(slots=True)
class Following:
    """How long renders take here, and whose looks fail."""

    catalogue: Catalogue
    _observed: dict[tuple[ModelId, ProviderName], deque[timedelta]] = field(default_factory=dict)
    _wishes: dict[ProviderName, timedelta] = field(default_factory=dict)
    """The shortest that was granted to each provider."""
    _troubles: OrderedDict[JobId, _Trouble] = field(default_factory=OrderedDict)

    def next_look(self, job: Job, now: datetime, draw: float, *, wish: timedelta | None = None) -> datetime:
        """When to look at a job's task again.

        Args:
            job: With a task.
            now: The present.
            draw: Uniform in [0, 1).
            wish: The provider's, if it has one.

        Returns:
            The deadline at the latest.
        """
        trouble = self._troubles.get(job.job_id, _Trouble())
        if wish and not trouble.failure_count:
            shortest = self._wishes.get(job.provider, INTERVAL_MAX)
            self._wishes[job.provider] = min(granted(wish), shortest)
            return min(now + granted(wish), job.expire_time)
        elapsed = max(now - (job.submit_time or job.create_time), timedelta())
        interval = next_look(
            elapsed=elapsed, earliest=self._earliest_end(job), draw=draw, failure_count=trouble.failure_count
        )
        if wish:
            # What a provider asks for after a failure is the least, but for a last look before the deadline.
            interval = max(interval, min(wish, (job.expire_time - now) / 2))
        # Another process that looks at that time without trouble of its own chooses no shorter interval for its next.
        others = next_look(elapsed=elapsed, earliest=timedelta(), draw=0.0)
        trouble.look_time, trouble.sequence = now + interval, job.sequence
        trouble.patience = min(others, self._wishes.get(job.provider, INTERVAL_MAX)) / 2
        return min(now + interval, job.expire_time)

    def note_end(self, job: Job, now: datetime) -> None:
        """Remember how long a render took, and forget its troubles."""
        self._troubles.pop(job.job_id, None)
        # Of a task that we only learnt of by its announcement, nobody knows when it began.
        if job.submit_time is not None and not job.unanswered_count:
            latest = self._observed.setdefault((job.spec.model, job.provider), deque(maxlen=OBSERVED_COUNT_MAX))
            latest.append(now - job.submit_time)

    def note_answer(self, job_id: JobId) -> None:
        """A look was answered."""
        self._troubles.pop(job_id, None)

    def note_failure(self, job: Job, now: datetime, *, is_unknown: bool) -> int:
        """A look failed.

        Args:
            job: Whose; as it was when its driver looked.
            now: When.
            is_unknown: The provider said definitely that it has no such task.

        Returns:
            How many looks in a row have said so, this one included.
        """
        trouble = self._troubles.setdefault(job.job_id, _Trouble())
        self._troubles.move_to_end(job.job_id)
        if len(self._troubles) > TROUBLED_COUNT_MAX:
            self._troubles.popitem(last=False)
        if trouble.look_time is not None:
            # Too late, and another may have looked. Too early, and somebody else has chosen the time, as whoever has
            # recorded anything has done too.
            is_punctual = timedelta() <= now - trouble.look_time <= trouble.patience
            if not is_punctual or job.sequence != trouble.sequence:
                trouble.unknown_count = 0
        trouble.failure_count += 1
        trouble.unknown_count = trouble.unknown_count + 1 if is_unknown else 0
        return trouble.unknown_count

    def _earliest_end(self, job: Job) -> timedelta:
        model = self.catalogue.row(job.spec.model)
        typical = model.typical_render_time if model else timedelta()
        return earliest_end(typical, self._observed.get((job.spec.model, job.provider), ()))
