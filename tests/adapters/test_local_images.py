"""The first frame of a local render: where it comes from, and what becomes of a render that cannot have it."""

import asyncio
import io
import json
import os
import signal
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from reelgate_server.adapters.providers.local.folder import WorkFolder
from reelgate_server.adapters.providers.local.images import decode, fetch
from reelgate_server.adapters.providers.local.provider import LocalProvider
from reelgate_server.adapters.providers.local.render_process import render
from reelgate_server.adapters.providers.local.shot import Shot
from reelgate_server.domain.events import FailureCode, JobFailure, Task
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.ports.images import ImageUnavailable
from reelgate_server.ports.provider import FirstFrame, ImageBytes, ImageUrl, RenderOrder, TaskDone, TaskFailed
from tests.support.builders import job_id
from tests.support.images import GIF, HTML, IMAGE_URL, JPEG, PNG, SVG, WEBP, FakeImageSource, picture
from tests.support.render_orders import make_order
from tests.support.video_probe import first_frame
from tests.support.waiting import wait_for_end, wait_for_progress

RED, BLUE = (200, 30, 30), (30, 30, 200)
RED_IMAGE = ImageBytes(picture("PNG", size=(300, 300), colour=RED), "image/png")
BLUE_IMAGE = ImageBytes(picture("JPEG", size=(300, 300), colour=BLUE), "image/jpeg")


class _HangingSource:
    """Never answers, and tells when it was asked and left."""

    def __init__(self) -> None:
        self.is_asked = threading.Event()
        self.is_left = threading.Event()

    async def fetch(self, _url: str) -> ImageBytes:
        self.is_asked.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.is_left.set()
        raise AssertionError("the future has no result")


def _order(image: FirstFrame | None, *, seconds: int = 1) -> RenderOrder:
    return replace(make_order(1, seconds=seconds), image=image)


def _folder(root: Path, image: FirstFrame | None) -> WorkFolder:
    folder = WorkFolder(root / job_id(1))
    folder.create(Shot.of(_order(image)), image.content if isinstance(image, ImageBytes) else None)
    return folder


def _is_of(path: Path, colour: tuple[int, int, int]) -> bool:
    """Tell whether a video begins with a picture of one colour, away from the cards."""
    found = first_frame(path)[150:250, 300:550].reshape(-1, 3).mean(axis=0)
    return all(abs(one - other) < 10 for one, other in zip(found, colour, strict=True))


# --- decoding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [JPEG, PNG, WEBP])
def test_the_documented_formats_are_decoded(content: bytes) -> None:
    assert decode(content).size == (16, 9)


def test_a_picture_is_turned_upright_and_transparency_is_black() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGBA", (40, 30), (255, 255, 255, 0)).save(file, "PNG", exif=exif)
    upright = decode(file.getvalue())
    assert (upright.size, upright.mode, upright.getpixel((5, 5))) == ((30, 40), "RGB", (0, 0, 0))


@pytest.mark.parametrize(
    "content", [b"", SVG, HTML, GIF, PNG[:40], picture("PNG", size=(400, 300))[:-40], JPEG[:100], WEBP[:20]]
)
def test_what_is_no_picture_is_unavailable(content: bytes) -> None:
    with pytest.raises(ImageUnavailable, match="not a picture"):
        decode(content)


@pytest.mark.parametrize("size", [(8000, 8000), (20_000, 10_000)])
def test_a_picture_of_too_many_pixels_is_not_decoded(size: tuple[int, int]) -> None:
    file = io.BytesIO()
    Image.new("1", size).save(file, "PNG")
    with pytest.raises(ImageUnavailable):
        decode(file.getvalue())


# --- fetching --------------------------------------------------------------------------------------------------------


def test_an_image_is_fetched_without_an_event_loop() -> None:
    assert fetch(FakeImageSource({IMAGE_URL: WEBP}), IMAGE_URL) == WEBP


def test_an_image_that_cannot_be_fetched_is_unavailable() -> None:
    with pytest.raises(ImageUnavailable, match="not there"):
        fetch(FakeImageSource({}), IMAGE_URL)


def test_a_fetch_is_given_up_when_nobody_wants_it_any_more() -> None:
    source = _HangingSource()
    with pytest.raises(ImageUnavailable, match="no longer wanted"):
        fetch(source, IMAGE_URL, source.is_asked.is_set)
    assert source.is_left.is_set()


# --- rendering -------------------------------------------------------------------------------------------------------


def test_an_image_at_an_address_is_the_first_frame(tmp_path: Path) -> None:
    folder, images = _folder(tmp_path, ImageUrl(IMAGE_URL)), FakeImageSource({IMAGE_URL: RED_IMAGE.content})
    render(folder, images)
    assert _is_of(folder.video_path, RED)
    assert images.fetched == [IMAGE_URL]


def test_an_image_that_came_with_the_order_is_the_first_frame_and_nothing_is_fetched(tmp_path: Path) -> None:
    folder, images = _folder(tmp_path, RED_IMAGE), FakeImageSource()
    render(folder, images)
    assert _is_of(folder.video_path, RED)
    assert images.fetched == []


def test_without_an_image_nothing_is_fetched(tmp_path: Path) -> None:
    folder, images = _folder(tmp_path, None), FakeImageSource()
    render(folder, images)
    assert folder.is_done()
    assert not _is_of(folder.video_path, RED)
    assert images.fetched == []


@pytest.mark.parametrize(
    ("image", "images", "detail"),
    [
        (ImageUrl(IMAGE_URL), {}, "not there"),
        (ImageUrl("http://images.test/first.png"), {"http://images.test/first.png": PNG}, "not there"),
        (ImageUrl(IMAGE_URL), {IMAGE_URL: HTML}, "no image"),
        (ImageUrl(IMAGE_URL), {IMAGE_URL: PNG[:40]}, "not a picture: "),
        (ImageBytes(PNG[:40], "image/png"), {}, "not a picture: "),
        (ImageBytes(b"", "image/png"), {}, "not a picture: "),
    ],
)
def test_a_render_without_its_image_fails_at_once_and_says_so(
    tmp_path: Path, image: FirstFrame, images: dict[str, bytes], detail: str
) -> None:
    folder, source = _folder(tmp_path, image), FakeImageSource(images)
    folder.part_path.write_bytes(b"left by a crash")
    render(folder, source)
    failure = folder.failure()
    assert failure is not None
    assert failure.code is FailureCode.IMAGE_UNUSABLE
    assert failure.message == "The image could not be fetched, or the provider cannot use it."
    assert failure.fault is not None
    assert failure.fault.kind is FaultKind.IMAGE_UNUSABLE
    assert not failure.fault.is_maybe_accepted
    assert failure.fault.detail.startswith(detail)
    assert len(source.fetched) <= 1
    assert not folder.part_path.exists()
    render(folder, source)
    assert folder.failure() == failure


def test_a_stand_in_renders_without_the_image_that_it_cannot_have(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path / job_id(1))
    folder.create(Shot.of(replace(_order(ImageUrl(IMAGE_URL)), is_simulated=True)), None)
    render(folder, FakeImageSource({}))
    assert folder.is_done()
    assert folder.failure() is None


def test_a_render_that_is_cancelled_while_it_waits_for_its_image_has_not_failed(tmp_path: Path) -> None:
    folder, source = _folder(tmp_path, ImageUrl(IMAGE_URL)), _HangingSource()
    rendering = threading.Thread(target=render, args=(folder, source))
    rendering.start()
    assert source.is_asked.wait(10)
    folder.cancel()
    rendering.join(10)
    assert not rendering.is_alive()
    assert (folder.failure(), folder.is_done(), folder.is_cancelled()) == (None, False, True)


def test_an_order_of_before_images_came_with_orders_is_still_rendered(tmp_path: Path) -> None:
    folder = _folder(tmp_path, None)
    order = folder.path / "order.json"
    fields = json.loads(order.read_text())
    del fields["has_image_file"]
    order.write_text(json.dumps(fields))
    render(folder, FakeImageSource())
    assert folder.is_done()


def test_a_failure_of_before_it_had_a_kind_is_still_read(tmp_path: Path) -> None:
    folder = _folder(tmp_path, None)
    text = '{"code": "provider_error", "message": "It could not.", "detail": "OSError: full"}'
    (folder.path / "failure.json").write_text(text)
    assert folder.failure() == JobFailure(
        code=FailureCode.PROVIDER_ERROR,
        message="It could not.",
        fault=Fault(kind=FaultKind.UNAVAILABLE, detail="OSError: full"),
    )


# --- the provider ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[LocalProvider]:
    async with LocalProvider(tmp_path, worker_count=1) as provider:
        yield provider


async def test_an_image_reaches_the_process_that_renders(provider: LocalProvider, tmp_path: Path) -> None:
    task = (await provider.submit(_order(RED_IMAGE))).task
    assert isinstance(await wait_for_end(provider, task), TaskDone)
    assert _is_of(tmp_path / job_id(1) / "video.mp4", RED)


async def test_an_image_outlives_the_process_and_the_provider_that_began_with_it(tmp_path: Path) -> None:
    async with LocalProvider(tmp_path, worker_count=1) as provider:
        task = (await provider.submit(_order(RED_IMAGE, seconds=2))).task
        await wait_for_progress(provider, task)
        os.kill(provider.worker_pids()[0], signal.SIGKILL)
    async with LocalProvider(tmp_path, worker_count=1) as successor:
        assert isinstance(await wait_for_end(successor, task), TaskDone)
    assert _is_of(tmp_path / job_id(1) / "video.mp4", RED)


async def test_a_repeated_submit_changes_neither_the_order_nor_its_image(
    provider: LocalProvider, tmp_path: Path
) -> None:
    tasks = [(await provider.submit(_order(image))).task for image in (RED_IMAGE, RED_IMAGE, BLUE_IMAGE, None)]
    assert tasks == [Task(task_id=job_id(1))] * 4
    assert isinstance(await wait_for_end(provider, tasks[0]), TaskDone)
    assert (tmp_path / job_id(1) / "image").read_bytes() == RED_IMAGE.content
    assert _is_of(tmp_path / job_id(1) / "video.mp4", RED)


async def test_a_crash_between_the_image_and_the_order_leaves_no_task_and_a_repeat_makes_it(
    provider: LocalProvider, tmp_path: Path
) -> None:
    folder = tmp_path / job_id(1)
    folder.mkdir()
    (folder / "image").write_bytes(BLUE_IMAGE.content)
    (folder / "image.a1b2c3").write_bytes(BLUE_IMAGE.content[:50])
    with pytest.raises(ProviderFault) as raised:
        await provider.poll(Task(task_id=job_id(1)))
    assert raised.value.fault.kind is FaultKind.TASK_UNKNOWN
    task = (await provider.submit(_order(RED_IMAGE))).task
    assert isinstance(await wait_for_end(provider, task), TaskDone)
    assert _is_of(folder / "video.mp4", RED)


async def test_an_address_inside_our_own_network_fails_the_task_as_the_customers_to_mend(
    provider: LocalProvider,
) -> None:
    task = (await provider.submit(_order(ImageUrl("https://127.0.0.1:1/first.png")))).task
    assert await wait_for_end(provider, task) == TaskFailed(
        failure=JobFailure(
            code=FailureCode.IMAGE_UNUSABLE,
            message="The image could not be fetched, or the provider cannot use it.",
            fault=Fault(kind=FaultKind.IMAGE_UNUSABLE, detail="the host has an address that is not public"),
        )
    )
