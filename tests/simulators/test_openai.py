"""The dialects of the OpenAI simulator on the wire, one difference after another."""

import base64
import re
from typing import Any

import httpx
import pytest

from reelgate_simulators.clock import MANUAL_START_UNIX_S
from reelgate_simulators.faults import CutBody, accepted_but_lost
from reelgate_simulators.video import tiny_mp4
from tests.simulators.openai_bench import QUEUE_S, RENDER_S, bench

LITELLM = ["litellm", "litellm_vertex_ai", "litellm_gemini", "litellm_minimax"]


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        ("openai", ["queued", "in_progress", "completed"]),
        ("sglang", ["queued", "in_progress", "completed"]),
        ("sglang_older", ["queued", "queued", "completed"]),
        ("vllm_omni", ["queued", "in_progress", "completed"]),
        ("litellm", ["queued", "in_progress", "completed"]),
        ("litellm_minimax", ["queued", "in_progress", "completed"]),
        ("litellm_vertex_ai", ["processing", "processing", "completed"]),
        ("litellm_gemini", ["processing", "processing", "completed"]),
    ],
)
async def test_the_words_for_a_state(dialect: str, words: list[str]) -> None:
    async with bench(dialect) as made:
        video_id = await made.create()
        heard = [(await made.get(video_id)).json()["status"]]
        made.clock.advance(1)
        heard.append((await made.get(video_id)).json()["status"])
        made.clock.advance(RENDER_S)
        heard.append((await made.get(video_id)).json()["status"])
    assert heard == words


async def test_progress_and_times_are_told() -> None:
    async with bench("openai", content_lifetime_s=3600) as made:
        video_id = await made.create()
        made.clock.advance(6)
        running = (await made.get(video_id)).json()
        made.clock.advance(5)
        done = (await made.get(video_id)).json()
    start = int(MANUAL_START_UNIX_S)
    assert (running["progress"], running["created_at"], running["completed_at"]) == (50, start, None)
    assert (done["progress"], done["completed_at"], done["expires_at"]) == (100, start + 11, start + 11 + 3600)


async def test_content_vanishes_when_it_was_said_to() -> None:
    async with bench("openai", content_lifetime_s=3600) as made:
        video_id = await made.ended()
        made.clock.advance(3599)
        assert (await made.get(video_id, "/content")).content == tiny_mp4(4)
        made.clock.advance(1)
        assert (await made.get(video_id, "/content")).status_code == 404


@pytest.mark.parametrize(
    ("dialect", "prompt", "status_code", "status", "error"),
    [
        ("openai", "[fail]", 200, "failed", {"code": "video_generation_failed"}),
        ("openai", "[reject]", 200, "failed", {"code": "moderation_blocked"}),
        ("sglang", "[fail]", 200, "failed", {}),
        ("vllm_omni", "[fail]", 500, "failed", {"code": 500}),
        ("vllm_omni", "[reject]", 400, "failed", {"code": 400}),
        ("vllm_omni", "[filter]", 422, "failed", {"code": 422}),
        ("litellm", "[fail]", 200, "failed", {"code": "fal_error"}),
        ("litellm", "[reject]", 200, "failed", {"code": "fal_error"}),
        ("litellm_minimax", "[fail]", 200, "failed", {"code": "video_generation_failed"}),
        ("litellm_vertex_ai", "[fail]", 200, "failed", {"code": "video_generation_failed"}),
        ("litellm_vertex_ai", "[filter]", 200, "completed", None),
        ("litellm_gemini", "[fail]", 200, "completed", None),
        ("litellm_gemini", "[filter]", 200, "completed", None),
    ],
)
async def test_how_a_failure_is_told(
    dialect: str, prompt: str, status_code: int, status: str, error: dict[str, Any] | None
) -> None:
    async with bench(dialect) as made:
        response = await made.get(await made.ended(prompt))
    video = response.json()
    assert (response.status_code, video["status"], video["object"]) == (status_code, status, "video")
    if error is None:
        assert video["error"] is None
    else:
        assert video["error"].pop("message")
        assert video["error"] == error


@pytest.mark.parametrize(
    ("dialect", "status_code", "body"),
    [
        ("openai", 404, None),
        ("sglang", 404, {"detail": "Generation is still in-progress"}),
        ("vllm_omni", 404, {"detail": "Generation is still in-progress"}),
        ("litellm", 400, None),
    ],
)
async def test_content_before_the_end(dialect: str, status_code: int, body: dict[str, str] | None) -> None:
    async with bench(dialect) as made:
        response = await made.get(await made.create(), "/content")
    assert response.status_code == status_code
    assert response.json() == body if body else response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("dialect", "prompt", "status_code"),
    [
        ("openai", "[fail]", 404),
        ("sglang", "[fail]", 404),
        ("vllm_omni", "[fail]", 422),
        ("litellm_gemini", "[fail]", 500),
        ("litellm_gemini", "[filter]", 500),
        ("litellm_vertex_ai", "[filter]", 500),
    ],
)
async def test_content_of_a_failure(dialect: str, prompt: str, status_code: int) -> None:
    async with bench(dialect) as made:
        assert (await made.get(await made.ended(prompt), "/content")).status_code == status_code


async def test_sglang_can_put_results_into_a_cloud() -> None:
    async with bench("sglang", uploads_to_cloud=True) as made:
        video_id = await made.create()
        assert (await made.get(video_id)).json()["url"] is None
        made.clock.advance(QUEUE_S + RENDER_S)
        video = (await made.get(video_id)).json()
        refused = await made.get(video_id, "/content")
        given = await made.caller.get(video["url"], headers={"Authorization": ""})
    assert video["urls"] == [video["url"]]
    assert refused.status_code == 400
    assert video["url"] in refused.json()["detail"]
    assert given.content == tiny_mp4(4)


async def test_deleting_what_runs_is_refused_by_openai() -> None:
    async with bench("openai") as made:
        video_id = await made.create()
        assert (await made.delete(video_id)).status_code == 409
        assert (await made.get(video_id)).status_code == 200


async def test_deleting_what_runs_is_forgetting_with_sglang() -> None:
    async with bench("sglang") as made:
        video_id = await made.create()
        answer = await made.delete(video_id)
        assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (200, video_id, "deleted")
        gone = await made.get(video_id)
        assert (gone.status_code, gone.json()) == (404, {"detail": "Video not found"})
        made.clock.advance(QUEUE_S + RENDER_S)
        assert made.simulator.renders[video_id].state.value == "succeeded"


async def test_deleting_what_runs_is_aborting_with_vllm_omni() -> None:
    async with bench("vllm_omni", abort_s=2) as made:
        video_id = await made.create()
        busy = await made.delete(video_id)
        assert (busy.status_code, busy.json()) == (409, {"detail": "Cancellation in progress…"})
        made.clock.advance(2)
        assert (await made.delete(video_id)).json() == {"id": video_id, "object": "video.deleted", "deleted": True}
        assert (await made.get(video_id)).status_code == 404
        assert made.simulator.renders[video_id].state.value == "cancelled"


async def test_an_abort_that_has_begun_needs_no_second_word() -> None:
    async with bench("vllm_omni", abort_s=2) as made:
        video_id = await made.create()
        assert (await made.delete(video_id)).status_code == 409
        assert made.simulator.renders[video_id].state.value == "queued"
        made.clock.advance(2)
        assert made.simulator.renders[video_id].state.value == "cancelled"


async def test_an_abort_is_at_once_unless_told_otherwise() -> None:
    async with bench("vllm_omni") as made:
        video_id = await made.create()
        assert (await made.delete(video_id)).status_code == 200
        assert made.simulator.renders[video_id].state.value == "cancelled"


async def test_litellm_may_delete_nothing() -> None:
    async with bench("litellm") as made:
        assert (await made.delete(await made.ended())).status_code == 400


async def test_minimax_behind_litellm_can_cancel_by_itself() -> None:
    async with bench("litellm_minimax") as made:
        video_id = await made.create()
        made.simulator.cancel(video_id)
        assert (await made.get(video_id)).json()["status"] == "cancelled"


@pytest.mark.parametrize("dialect", LITELLM)
async def test_ids_of_litellm_need_encoding(dialect: str) -> None:
    async with bench(dialect) as made:
        video_id = await made.ended()
        assert set("/+=") <= set(video_id)
        text = base64.b64decode(video_id.removeprefix("video_")).decode()
        assert text.startswith("litellm:custom_llm_provider:")
        assert ";model_id:" in text
        assert ";video_id:" in text
        assert (await made.get(video_id)).json()["id"] == video_id
        assert (await made.caller.get(f"/v1/videos/{video_id}")).status_code == 404
        assert (await made.caller.get(f"/v1/videos/{video_id}/content")).status_code == 404


@pytest.mark.parametrize(
    ("dialect", "pattern"), [("openai", r"video_\w+"), ("sglang", r"[0-9a-f-]{36}"), ("vllm_omni", r"video_gen_\w+")]
)
async def test_ids_of_the_others(dialect: str, pattern: str) -> None:
    async with bench(dialect) as made:
        assert re.fullmatch(pattern, await made.create())


@pytest.mark.parametrize(
    ("dialect", "keys"),
    [
        ("sglang", {"quality", "url", "urls", "file_path", "num_outputs", "peak_memory_mb", "inference_time_s"}),
        ("vllm_omni", {"quality", "media_type", "file_name", "metrics", "stage_durations", "peak_memory_mb"}),
    ],
)
async def test_extra_keys(dialect: str, keys: set[str]) -> None:
    async with bench("openai") as plain, bench(dialect) as made:
        usual = (await plain.get(await plain.ended())).json()
        video = (await made.get(await made.ended())).json()
    assert video.keys() - usual.keys() == keys


async def test_keys_that_litellm_leaves_out() -> None:
    async with bench("litellm") as made:
        video = (await made.get(await made.ended())).json()
    assert not {"progress", "size"} & video.keys()
    assert video["created_at"] is None
    assert video["usage"] == {"duration_seconds": 4}


@pytest.mark.parametrize(
    ("dialect", "variant", "status_code"),
    [
        ("openai", "spritesheet", 200),
        ("openai", "0", 400),
        ("sglang", "0", 200),
        ("sglang", "1", 404),
        ("sglang", "video", 422),
        ("vllm_omni", "anything", 200),
    ],
)
async def test_variants(dialect: str, variant: str, status_code: int) -> None:
    async with bench(dialect) as made:
        response = await made.get(await made.ended(), "/content", variant=variant)
    assert response.status_code == status_code


@pytest.mark.parametrize("pause", [None, 250])
async def test_the_pause_is_in_a_header(pause: int | None) -> None:
    async with bench("openai", poll_after_ms=pause) as made:
        response = await made.get(await made.create())
    assert response.headers.get("openai-poll-after-ms") == (None if pause is None else str(pause))


async def test_a_lost_answer_leaves_a_render_behind() -> None:
    async with bench("openai") as made:
        made.simulator.faults.queue("create", accepted_but_lost())
        with pytest.raises(httpx.ReadError):
            await made.create()
        listed = (await made.caller.get("/v1/videos")).json()["data"]
    assert [video["id"] for video in listed] == list(made.simulator.renders)


async def test_a_download_can_break_off() -> None:
    async with bench("openai") as made:
        video_id = await made.ended()
        made.simulator.faults.queue("content", CutBody(1000))
        with pytest.raises(httpx.ReadError):
            await made.get(video_id, "/content")
        assert (await made.get(video_id, "/content")).content == tiny_mp4(4)


async def test_what_a_test_ends_before_its_start_is_told_without_progress() -> None:
    async with bench("openai") as made:
        made.simulator.queue_s = float("inf")
        video_id = await made.create("[fail]")
        failure = made.simulator.renders[video_id].planned_failure
        assert failure is not None
        made.simulator.fail(video_id, failure)
        video = (await made.get(video_id)).json()
    assert (video["status"], video["progress"]) == ("failed", 0)
