"""What a `Provider` promises. `test_providers.py` runs it over every adapter."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from reelgate_server.domain.events import Task
from reelgate_server.domain.faults import FaultKind, ProviderFault
from reelgate_server.ports.provider import ImageUrl, Provider, RenderOrder, TaskDone, TaskFailed, TaskRunning
from tests.support.builders import job_id
from tests.support.images import IMAGE_URL
from tests.support.render_orders import make_order
from tests.support.waiting import INTERVAL_S, LIMIT_S, wait_for_end

CHUNK_BYTES_MAX = 1 << 20
"""No adapter may hand out more at a time; the copier holds a few chunks."""


class ProviderContract:
    """Subclasses give a `provider` fixture, and override what is special to them."""

    stops_when_cancelled = True
    """A running task that is cancelled ends without a video; many providers cannot do that."""

    def order(self, number: int = 1) -> RenderOrder:
        """An order that the provider renders within seconds."""
        return make_order(number)

    def long_order(self, number: int = 1) -> RenderOrder:
        """An order that is still running at the first polls."""
        return make_order(number, seconds=60, resolution="1080p")

    def unknown_task(self) -> Task:
        """A task in the provider's own form that it never made."""
        return Task(task_id=job_id(999))

    async def test_an_order_becomes_a_video(self, provider: Provider) -> None:
        task = (await provider.submit(self.order())).task
        state = await wait_for_end(provider, task)
        assert isinstance(state, TaskDone)
        assert state.source_url

    async def test_a_submit_answers_before_the_video_is_done(self, provider: Provider) -> None:
        task = (await provider.submit(self.long_order())).task
        assert isinstance(await provider.poll(task), TaskRunning)

    async def test_progress_is_a_percentage(self, provider: Provider) -> None:
        task = (await provider.submit(self.order())).task
        async with asyncio.timeout(LIMIT_S):
            while isinstance(state := await provider.poll(task), TaskRunning):
                assert state.progress_percent is None or 0 <= state.progress_percent <= 100
                await asyncio.sleep(INTERVAL_S)

    async def test_an_ended_task_can_be_polled_again(self, provider: Provider) -> None:
        task = (await provider.submit(self.order())).task
        assert await wait_for_end(provider, task) == await provider.poll(task)

    async def test_an_order_submitted_twice_is_one_task_if_the_provider_is_idempotent(self, provider: Provider) -> None:
        first, second = (await provider.submit(self.order())).task, (await provider.submit(self.order())).task
        assert (first == second) == provider.is_idempotent
        assert isinstance(await wait_for_end(provider, first), TaskDone)
        if provider.is_idempotent:
            assert (await provider.submit(self.order())).task == first
            assert isinstance(await provider.poll(first), TaskDone)

    async def test_two_orders_are_two_tasks(self, provider: Provider) -> None:
        first, second = (await provider.submit(self.order(1))).task, (await provider.submit(self.order(2))).task
        assert first.task_id != second.task_id
        assert isinstance(await wait_for_end(provider, second), TaskDone)
        assert isinstance(await wait_for_end(provider, first), TaskDone)

    async def test_a_task_that_was_never_made_is_unknown(self, provider: Provider) -> None:
        with pytest.raises(ProviderFault) as raised:
            await provider.poll(self.unknown_task())
        assert raised.value.fault.kind is FaultKind.TASK_UNKNOWN
        assert not raised.value.fault.is_maybe_accepted

    async def test_a_running_task_can_be_cancelled_and_cancelled_again(self, provider: Provider) -> None:
        task = (await provider.submit(self.long_order())).task
        await provider.poll(task)
        assert await provider.cancel(task) == await provider.cancel(task)
        if self.stops_when_cancelled:
            assert isinstance(await wait_for_end(provider, task), TaskFailed)

    async def test_cancelling_an_ended_task_changes_nothing(self, provider: Provider) -> None:
        task = (await provider.submit(self.order())).task
        end = await wait_for_end(provider, task)
        await provider.cancel(task)
        assert await provider.poll(task) == end
        assert isinstance(end, TaskDone)
        assert await _read_all(provider.open(task, end.source_url))

    async def test_an_address_is_refused_by_who_takes_bytes(self, provider: Provider) -> None:
        if provider.takes_image_bytes:
            with pytest.raises(ProviderFault) as raised:
                await provider.submit(replace(self.order(), image=ImageUrl(IMAGE_URL)))
            assert raised.value.fault.kind is FaultKind.INVALID
            assert not raised.value.fault.is_maybe_accepted

    async def test_a_task_names_the_credential_that_made_it(self, provider: Provider) -> None:
        task = (await provider.submit(self.order())).task
        assert task.credential == (provider.credentials[0] if provider.credentials else None)

    async def test_a_wish_for_the_first_look_is_not_in_the_past(self, provider: Provider) -> None:
        poll_after = (await provider.submit(self.order())).poll_after
        assert poll_after is None or poll_after >= timedelta()

    async def test_every_credential_that_works_passes_its_check(self, provider: Provider) -> None:
        for credential in provider.credentials or (None,):
            await provider.check(credential)

    async def test_cancelling_an_unknown_task_is_no_error(self, provider: Provider) -> None:
        await provider.cancel(self.unknown_task())

    async def test_a_finished_video_can_be_read_as_often_as_wished(self, provider: Provider) -> None:
        task = (await provider.submit(self.order())).task
        end = await wait_for_end(provider, task)
        assert isinstance(end, TaskDone)
        first = await _read_all(provider.open(task, end.source_url))
        assert first
        assert await _read_all(provider.open(task, end.source_url)) == first

    async def test_opening_a_video_that_was_never_made_is_a_fault(self, provider: Provider) -> None:
        task = (await provider.submit(self.order())).task
        end = await wait_for_end(provider, task)
        assert isinstance(end, TaskDone)
        elsewhere = end.source_url.replace(task.task_id, self.unknown_task().task_id)
        with pytest.raises(ProviderFault):
            await _read_all(provider.open(self.unknown_task(), elsewhere))


async def _read_all(chunks: AsyncIterator[bytes]) -> bytes:
    content = bytearray()
    async for chunk in chunks:
        assert 0 < len(chunk) <= CHUNK_BYTES_MAX
        content += chunk
    return bytes(content)
