"""The pictures and the sound of the local renderer, without processes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from reelgate_server.adapters.providers.local.folder import WorkFolder
from reelgate_server.adapters.providers.local.look import look_of
from reelgate_server.adapters.providers.local.render_process import render
from reelgate_server.adapters.providers.local.shot import Shot, frame_size
from reelgate_server.adapters.providers.local.storyboard import Storyboard
from reelgate_server.adapters.providers.local.title import showable
from reelgate_server.adapters.providers.local.tone import tone
from tests.support.render_orders import make_order

HARD_PROMPTS = {
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 🇪🇸 dancing",
    "Chinese": "月光下的猫在屋顶上",
    "Arabic": "قطة على السطح",
    "Zalgo": "Z̷̢̛a̸̡͠l̵g̶o̴",
    "surrogate": "a \ud800 lone surrogate",
    "controls": "\x01\x02\x1b[31m\r\n\t\u202e\ufeff",
    "long": "A river of words " * 235,
    "one word": "w" * 4000,
    "one emoji": "😀" * 4000,
    "blank": " \n ",
}


def _shot(prompt: str = "A kite", *, has_audio: bool = False, is_simulated: bool = False, **changes: object) -> Shot:
    order = make_order(1, prompt=prompt, has_audio=has_audio, is_simulated=is_simulated, **changes)  # type: ignore[arg-type]  # Spec fields of several types.
    return Shot.of(order)


def _pixels(shot: Shot, index: int = 0, image: Image.Image | None = None) -> NDArray[np.uint8]:
    return np.asarray(Storyboard(shot, image).frame(index))


@pytest.mark.parametrize(
    ("aspect_ratio", "resolution", "size"),
    [
        ("16:9", "720p", (1280, 720)),
        ("9:16", "720p", (720, 1280)),
        ("1:1", "720p", (720, 720)),
        ("4:3", "720p", (960, 720)),
        ("3:4", "540p", (540, 720)),
        ("21:9", "1080p", (2520, 1080)),
        ("16:9", "480p", (854, 480)),
        ("16:9", "512p", (910, 512)),
        ("16:9", "768P", (1366, 768)),
        ("16:9", "4k", (3840, 2160)),
        ("9:16", "4K", (2160, 3840)),
    ],
)
def test_the_resolution_is_the_short_side(aspect_ratio: str, resolution: str, size: tuple[int, int]) -> None:
    assert frame_size(aspect_ratio, resolution) == size


@pytest.mark.parametrize(
    ("aspect_ratio", "resolution"), [("16:9", "p"), ("16/9", "720p"), ("99:1", "720p"), ("1:1", "15p")]
)
def test_sizes_that_cannot_be_drawn_are_refused(aspect_ratio: str, resolution: str) -> None:
    with pytest.raises(ValueError, match="cannot render"):
        frame_size(aspect_ratio, resolution)


def test_the_same_prompt_and_seed_give_the_same_file(tmp_path: Path) -> None:
    videos = []
    for name in ("one", "other"):
        folder = WorkFolder(tmp_path / name)
        folder.create(_shot("A kite", has_audio=True, extra={"seed": 7}))
        render(folder)
        videos.append(folder.video_path.read_bytes())
    assert videos[0] == videos[1]


def test_another_prompt_or_another_seed_gives_another_picture() -> None:
    pictures = [
        _pixels(_shot("A kite")),
        _pixels(_shot("A boat")),
        _pixels(_shot("A kite", extra={"seed": 7})),
        _pixels(_shot("A kite", extra={"seed": 8})),
    ]
    assert len({picture.tobytes() for picture in pictures}) == 4


@pytest.mark.parametrize("seed", [True, "7", None, 1.5])
def test_what_is_no_whole_number_is_no_seed(seed: object) -> None:
    assert _shot(extra={"seed": seed}) == _shot()


def test_a_seed_of_any_size_is_taken() -> None:
    assert _shot(extra={"seed": -1}).seed == 18_446_744_073_709_551_615
    assert _shot(extra={"seed": 2**64 + 7}).seed == 7


def test_words_in_the_prompt_choose_fitting_colours_and_shapes() -> None:
    look = look_of(_shot("Snow on the mountains"))
    assert (look.palette.name, look.motif) == ("ice", "peaks")


def test_the_picture_moves() -> None:
    storyboard = Storyboard(_shot(), None)
    assert storyboard.frame(0).tobytes() != storyboard.frame(12).tobytes()


def test_every_frame_of_a_simulated_video_says_so() -> None:
    real, simulated = Storyboard(_shot(), None), Storyboard(_shot(is_simulated=True), None)
    for index in range(24):
        difference = np.asarray(real.frame(index)) != np.asarray(simulated.frame(index))
        rows, columns = np.nonzero(difference.any(axis=2))
        assert 24 <= rows.min() <= rows.max() < 60
        assert columns.min() <= 40
        assert columns.max() - columns.min() > 150


def test_an_image_that_cannot_be_had_is_replaced_by_a_visible_card() -> None:
    with_card = _pixels(replace(_shot(), image_url="https://images.test/first.png"))
    changed = (with_card != _pixels(_shot())).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert columns.max() - columns.min() > 854 * 0.55
    assert rows.max() - rows.min() > 480 * 0.25


@pytest.mark.parametrize("prompt", HARD_PROMPTS.values(), ids=HARD_PROMPTS.keys())
def test_any_prompt_can_be_drawn(prompt: str) -> None:
    shot = Shot.from_json(_shot(prompt, is_simulated=True, model="modèle 模型 " * 40).to_json())
    assert shot.prompt == prompt
    for aspect_ratio in ("16:9", "9:16"):
        assert _pixels(_shot(prompt, aspect_ratio=aspect_ratio, is_simulated=True, model="m" * 400)).std() > 10


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Un niño corre — café", "Un nino corre - cafe"),
        ("Straße  nach\nŁódź", "Strasse nach Lodz"),
        ("Tokyo 東京 at night 🌃", "Tokyo at night"),
        ("東京", "Untitled"),
        ("🌃 ...", "Untitled"),
    ],
)
def test_the_title_shows_what_the_font_can(text: str, shown: str) -> None:
    assert showable(text) == shown


def test_a_large_frame_is_scaled_up_from_a_smaller_canvas() -> None:
    assert _pixels(_shot(resolution="4k")).shape == (1080, 1920, 3)
    assert _pixels(_shot(resolution="4k", aspect_ratio="9:16")).shape == (1920, 1080, 3)


def test_the_tone_follows_its_pitch_and_begins_and_ends_in_silence() -> None:
    sound = tone(0, 48_000, sample_count=48_000, pitch_hz=220.0)
    assert sound.shape == (2, 48_000)
    assert abs(sound[:, 0]).max() == 0
    assert abs(sound[:, -1]).max() < 0.001
    assert 0.05 < abs(sound).max() < 0.3
    assert int(np.abs(np.fft.rfft(sound[0])).argmax()) == 220


def test_a_tone_made_in_stretches_is_the_same_tone() -> None:
    whole = tone(0, 3000, sample_count=48_000, pitch_hz=220.0)
    parts = [tone(start, 1000, sample_count=48_000, pitch_hz=220.0) for start in (0, 1000, 2000)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)
