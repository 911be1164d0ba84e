"""What is refused at create, by surface: the request, and what is said."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from reelgate_server.domain.events import FailureCode
from tests.providers.matrix import (
    CONCURRED,
    GEEKHUB,
    KYMA,
    NATIVE,
    NEEDS_AN_IMAGE,
    NOT_OFFERED,
    TAKES_NO_IMAGE,
    WITHDRAWN,
)
from tests.providers.orders import DATA_URL, FAL, MINIMAX, VERTEX
from tests.support.images import IMAGE_URL


@dataclass(frozen=True, kw_only=True)
class Refused:
    """One create that ends at once, with nothing left behind."""

    why: str
    """As `docs/providers/README.md` has it."""
    surface: str
    model: str
    asked: Mapping[str, Any]
    """Beside model and prompt, as the surface calls it."""
    status: str
    """Natively the gRPC code, elsewhere the HTTP status."""
    code: str
    """Natively the reason, elsewhere the API's own code."""
    sentence: str

    def __str__(self) -> str:
        """The test's id."""
        values = ",".join(f"{name}={str(value)[:24]}" for name, value in self.asked.items())
        return f"{self.surface}-{self.model}-{values}".replace(" ", "")


BAD: Final = {
    NATIVE: ("INVALID_ARGUMENT", "INVALID_SPEC"),
    GEEKHUB: ("400", "invalid_request_error"),
    KYMA: ("400", "invalid_request"),
    CONCURRED: ("400", "BAD_REQUEST"),
}
"""How each surface says that a field is wrong."""
UNKNOWN_MODEL: Final = {
    NATIVE: ("NOT_FOUND", "MODEL_NOT_FOUND"),
    GEEKHUB: ("404", "model_not_found"),
    KYMA: ("400", "invalid_model"),
    CONCURRED: ("400", "INVALID_MODEL"),
}
UNAVAILABLE: Final = {
    NATIVE: ("FAILED_PRECONDITION", "MODEL_UNAVAILABLE"),
    GEEKHUB: ("502", "provider_unavailable"),
    KYMA: ("400", "invalid_model"),
    CONCURRED: ("503", "MODEL_UNAVAILABLE"),
}
MISSING: Final = BAD | {CONCURRED: ("400", "MISSING_REQUIRED_FIELD")}
WRONG_LENGTH: Final = BAD | {KYMA: ("400", "invalid_duration")}


def of_cell(surface: str, model: str, outcome: str) -> tuple[str, str, str]:
    """Status, code and sentence of a cell of the matrix that is refused."""
    colon = ": " if surface == NATIVE else " "
    match outcome:
        case _ if outcome == NOT_OFFERED:
            return (*UNKNOWN_MODEL[surface], f"Model '{model}' does not exist.")
        case _ if outcome == WITHDRAWN:
            sentence = f"Model '{model}' is not available on this server. fal has no endpoint for Runway Gen-4."
            return (*UNAVAILABLE[surface], sentence)
        case _ if outcome == TAKES_NO_IMAGE:
            return (*BAD[surface], f"image_url{colon}is not accepted by model '{model}'")
        case _:
            assert outcome == NEEDS_AN_IMAGE
            return (*MISSING[surface], f"image_url{colon}is required by model '{model}'")


def _row(
    why: str, surface: str, model: str, codes: Mapping[str, tuple[str, str]], sentence: str, **asked: Any
) -> Refused:
    status, code = codes[surface]
    return Refused(why=why, surface=surface, model=model, asked=asked, status=status, code=code, sentence=sentence)


@dataclass(frozen=True, kw_only=True)
class LateRefusal:
    """One native create that is taken, and then refused by the provider: the job fails, and its hold is released."""

    why: str
    provider: str
    """The only one that is configured."""
    model: str
    asked: Mapping[str, Any]
    code: FailureCode
    sentence: str
    price_micros: int
    submit_count: int = 1

    def __str__(self) -> str:
        """The test's id."""
        return f"{self.provider}-{self.model}-{self.why}".replace(" ", "_")


NOT_RENDERED: Final = (FailureCode.PROVIDER_ERROR, "The provider could not render this request.")
REJECTED: Final = (FailureCode.REJECTED, "The provider refused to render this content.")
UNUSABLE: Final = (FailureCode.IMAGE_UNUSABLE, "The image could not be fetched, or the provider cannot use it.")


def _late(
    why: str, provider: str, model: str, told: tuple[FailureCode, str], price_micros: int, **asked: Any
) -> LateRefusal:
    code, sentence = told
    return LateRefusal(
        why=why, provider=provider, model=model, asked=asked, code=code, sentence=sentence, price_micros=price_micros
    )


RATIO: Final = "a ratio that the model does not have"
UNRENDERED: Final = "a documented ratio that fal does not render"
RATIOS: Final = (
    *(
        _row(
            UNRENDERED,
            surface,
            model,
            BAD,
            f"aspect_ratio{colon}{ratio} is not rendered by the provider of model '{model}'",
            aspect_ratio=ratio,
        )
        for surface, colon in ((NATIVE, ": "), (GEEKHUB, " "))
        for model, ratio in (("fal/luma-ray-2", "1:1"), ("fal/hailuo-02", "9:16"))
    ),
    _row(RATIO, NATIVE, "fal/luma-ray-2", BAD, "aspect_ratio: must be one of 16:9, 9:16, 1:1", aspect_ratio="4:3"),
    _row(RATIO, NATIVE, "hailuo-02-768p", BAD, "aspect_ratio: must be one of 16:9", aspect_ratio="9:16"),
    _row(RATIO, GEEKHUB, "google/veo-3.1", BAD, "aspect_ratio must be one of 16:9, 9:16", aspect_ratio="1:1"),
    _row(
        RATIO,
        KYMA,
        "kling-3-pro",
        BAD,
        "extra.aspect_ratio must be one of 16:9, 9:16, 1:1",
        extra={"aspect_ratio": "21:9"},
    ),
    _row(RATIO, KYMA, "hailuo-02-768p", BAD, "extra.aspect_ratio must be one of 16:9", extra={"aspect_ratio": "9:16"}),
    # Kling has it, but Concurred documents two ratios alone.
    _row(RATIO, CONCURRED, "kling-3-pro", BAD, "aspect_ratio must be one of 16:9, 9:16", aspect_ratio="1:1"),
    _row(RATIO, CONCURRED, "veo-3.1", BAD, "aspect_ratio must be one of 16:9, 9:16", aspect_ratio="4:3"),
)

RESOLUTION: Final = "a resolution that the model does not have"
RESOLUTIONS: Final = (
    _row(RESOLUTION, NATIVE, "veo-3.1", BAD, "resolution: must be one of 720p, 1080p, 4k", resolution="480p"),
    _row(RESOLUTION, NATIVE, "kling-3-pro", BAD, "resolution: must be one of 1080p", resolution="4k"),
    _row(RESOLUTION, NATIVE, "hailuo-02-512p", BAD, "resolution: must be one of 512p", resolution="768P"),
    _row(RESOLUTION, CONCURRED, "veo-3.1", BAD, "resolution must be one of 720p, 1080p, 4k", resolution="480p"),
    _row(RESOLUTION, CONCURRED, "veo-3.1-fast", BAD, "resolution must be one of 720p, 1080p, 4k", resolution="4K"),
)

TOO_LONG: Final[Mapping[str, tuple[int, str]]] = {
    "google/veo-3.1": (9, "1 to 8"),
    "google/veo-3": (9, "1 to 8"),
    "fal/veo-3.1": (9, "1 to 8"),
    "fal/luma-ray-2": (10, "1 to 9"),
    "fal/kling-2": (11, "1 to 10"),
    "fal/hailuo-02": (11, "1 to 10"),
    "kling-2.5-pro": (11, "1 to 10"),
    "kling-3-pro": (11, "1 to 10"),
    "kling-3-pro-audio": (11, "1 to 10"),
    "seedance-2-pro": (11, "1 to 10"),
    "seedance-2-fast": (11, "1 to 10"),
    "hailuo-02-512p": (11, "1 to 10"),
    "hailuo-02-768p": (11, "1 to 10"),
    # Kyma documents ten, but there is no provider that renders more than six.
    "hailuo-02-1080p": (7, "1 to 6"),
    # Kyma's default for the others.
    "veo-3-fast": (5, "4 or 6 or 8"),
    "veo-3": (5, "4 or 6 or 8"),
    "veo-3.1": (5, "4 or 6 or 8"),
    "veo-3.1-fast": (10, "4 or 6 or 8"),
    "kling-3-pro-i2v": (11, "1 to 10"),
    "wan-2.6": (8, "5 or 10 or 15"),
    "wan-2.6-i2v": (16, "5 or 10 or 15"),
}
"""By model, a length that no surface of it offers, and what is offered."""
LENGTH: Final = "a length that the model does not have"
NOT_WHOLE: Final = "a length of no whole seconds"


def _too_long(surface: str, model: str) -> Refused:
    seconds, offered = TOO_LONG[model]
    sentence = f"must be {offered} seconds for model '{model}'"
    picture = {"image_url": IMAGE_URL} if model.endswith("-i2v") else {}
    match surface:
        case "native":
            return _row(
                LENGTH, surface, model, BAD, f"clip_duration: {sentence}", clip_duration=f"{seconds}s", **picture
            )
        case "concurred":
            return _row(LENGTH, surface, model, BAD, f"duration {sentence}", duration=str(seconds))
        case _:
            return _row(LENGTH, surface, model, WRONG_LENGTH, f"duration {sentence}", duration=seconds)


_ON_GEEKHUB: Final = tuple(TOO_LONG)[:6]
_ON_KYMA: Final = tuple(TOO_LONG)[6:16]
LENGTHS: Final = (
    *(_too_long(NATIVE, model) for model in TOO_LONG),
    *(_too_long(GEEKHUB, model) for model in _ON_GEEKHUB),
    *(_too_long(KYMA, model) for model in _ON_KYMA),
    *(_too_long(CONCURRED, model) for model in ("veo-3.1", "veo-3.1-fast")),
    _row(LENGTH, GEEKHUB, "fal/kling-2", BAD, "duration must be 1 to 10 seconds for model 'fal/kling-2'", duration=0),
    _row(
        NOT_WHOLE,
        NATIVE,
        "fal/kling-2",
        BAD,
        "clip_duration: must be a whole number of seconds",
        clip_duration="2.5s",
    ),
    _row(NOT_WHOLE, GEEKHUB, "fal/kling-2", BAD, "duration must be a whole number of seconds", duration=2.5),
    _row(NOT_WHOLE, KYMA, "kling-3-pro", WRONG_LENGTH, "duration must be a whole number of seconds", duration=2.5),
)

ADDRESS: Final = "must be an https:// URL of at most 2048 characters, without credentials"
IMAGE_DATA: Final = "an image inside the request"
IMAGE_PLACE: Final = "an image at no `https://` address"
BAD_DATA: Final = "data that are no image that is taken"
IMAGES: Final = (
    _row(IMAGE_DATA, KYMA, "kling-3-pro", BAD, f"image_url {ADDRESS}", image_url=DATA_URL),
    _row(IMAGE_DATA, KYMA, "hailuo-02-512p", BAD, f"image_url {ADDRESS}", image_url=DATA_URL),
    _row(IMAGE_DATA, KYMA, "veo-3", BAD, f"image_url {ADDRESS}", image_url=DATA_URL),
    _row(IMAGE_DATA, CONCURRED, "veo-3.1", BAD, f"image_url {ADDRESS}", image_url=DATA_URL),
    _row(IMAGE_DATA, CONCURRED, "kling-3-pro", BAD, f"image_url {ADDRESS}", image_url=DATA_URL),
    _row(IMAGE_PLACE, NATIVE, "fal/kling-2", BAD, f"image_url: {ADDRESS}", image_url="http://images.test/a.png"),
    _row(IMAGE_PLACE, NATIVE, "veo-3.1", BAD, f"image_url: {ADDRESS}", image_url="gs://films/a.png"),
    _row(IMAGE_PLACE, KYMA, "kling-3-pro", BAD, f"image_url {ADDRESS}", image_url="https://me:word@images.test/a"),
    _row(IMAGE_PLACE, CONCURRED, "wan-2.6", BAD, f"image_url {ADDRESS}", image_url="file:///etc/passwd"),
    _row(
        BAD_DATA,
        NATIVE,
        "kling-3-pro",
        BAD,
        "image_url: must be a base64 `data:` URL of a JPEG, PNG or WebP image",
        image_url="data:image/gif;base64,R0lGODlhAQABAAAAACw=",
    ),
    _row(
        BAD_DATA,
        NATIVE,
        "kling-3-pro",
        BAD,
        "image_url: must be a `data:` URL whose bytes are the image/png that it names",
        image_url="data:image/png;base64,R0lGODlhAQABAAAAACw=",
    ),
)

EXTRA: Final[Mapping[str, tuple[Any, str, str]]] = {
    "duration": (10, "use `clip_duration`", "use `duration`"),
    "resolution": ("4k", "use `resolution`", "the model decides it"),
    "ratio": ("1:1", "use `aspect_ratio`", "use `extra.aspect_ratio`"),
    "generate_audio": (True, "the model decides about sound", "the model decides about sound"),
    "num_videos": (4, "a job is one video", "a job is one video"),
    "loras": ([], "use `model`", "use `model`"),
    "queue_priority": ("high", "it changes the price", "it changes the price"),
    "multi_prompt": ([], "use `prompt`", "use `prompt`"),
    "start_image_url": ("https://images.test/a.png", "use `image_url`", "use `image_url`"),
    "video_url": ("https://films.test/a.mp4", "a video cannot be put in", "a video cannot be put in"),
    "storageUri": (
        "gs://films",
        "this service keeps the result and tells of it",
        "this service keeps the result and tells of it",
    ),
    "end_user_id": ("7", "it is for the operator to set", "it is for the operator to set"),
    "extra_body": ({}, "name its members in `extra` itself", "name its members in `extra` itself"),
}
"""One name of each family: its value, and what to do instead, natively and at Kyma."""
PARAMETER: Final = "an extra parameter that would change price, identity or destination"
EXTRAS: Final = tuple(
    row
    for name, (value, natively, at_kyma) in EXTRA.items()
    for row in (
        _row(
            PARAMETER,
            NATIVE,
            "veo-3.1",
            BAD,
            f"extra.{name}: must not be set here: {natively}",
            extra={name: value},
        ),
        _row(
            PARAMETER,
            KYMA,
            "kling-3-pro",
            BAD,
            f"extra.{name} must not be set here: {at_kyma}",
            extra={name: value},
        ),
    )
)

NO_MODEL: Final = "a model that nobody knows"
NO_MODELS: Final = tuple(
    _row(NO_MODEL, surface, "sora-2", UNKNOWN_MODEL, "Model 'sora-2' does not exist.")
    for surface in (NATIVE, GEEKHUB, KYMA, CONCURRED)
)

LONG_PROMPT: Final = "a prompt longer than the provider takes"
PROMPTS: Final = tuple(
    _row(
        LONG_PROMPT,
        surface,
        model,
        BAD,
        f"prompt{colon}must be at most {longest} characters for model '{model}'",
        prompt="p" * (longest + 1),
        **asked,
    )
    for surface, colon, model, longest, asked in (
        (NATIVE, ": ", "wan-2.6", 800, {}),
        (NATIVE, ": ", "wan-2.6-i2v", 1500, {"image_url": IMAGE_URL}),
        (CONCURRED, " ", "wan-2.6", 800, {}),
    )
)

REFUSALS: Final = (*PROMPTS, *RATIOS, *RESOLUTIONS, *LENGTHS, *IMAGES, *EXTRAS, *NO_MODELS)
"""Beside the cells of the matrix; fal, Vertex AI and MiniMax are configured."""

BAD_PARAMETER: Final = "an extra parameter that the provider does not take so"
FORBIDDEN: Final = "content against the provider's rules"
NO_IMAGE: Final = "an image that cannot be fetched"
LATE: Final = (
    _late(BAD_PARAMETER, FAL, "veo-3.1", NOT_RENDERED, 3_200_000, extra={"seed": "seven"}),
    _late(BAD_PARAMETER, VERTEX, "veo-3.1", NOT_RENDERED, 3_200_000, extra={"seed": "seven"}),
    _late(BAD_PARAMETER, MINIMAX, "hailuo-02-768p", NOT_RENDERED, 225_000, extra={"aigc_watermark": "yes"}),
    _late(FORBIDDEN, FAL, "kling-3-pro", REJECTED, 560_000, prompt="a fox [reject]"),
    _late(FORBIDDEN, MINIMAX, "hailuo-02-768p", REJECTED, 225_000, prompt="a fox [reject]"),
    # Google does not fetch it, so we try before anything is asked of it.
    replace(
        _late(NO_IMAGE, VERTEX, "veo-3.1", UNUSABLE, 3_200_000, image_url="https://images.test/missing.png"),
        submit_count=0,
    ),
)
"""What is known only when the provider is asked."""
