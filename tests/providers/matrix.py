"""Which model is made from what on which surface; `docs/providers/README.md` shows the same table."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from tests.providers.orders import IMAGE, TEXT

NATIVE, GEEKHUB, KYMA, CONCURRED = "native", "geekhub", "kyma", "concurred"
SURFACES: Final = (NATIVE, GEEKHUB, KYMA, CONCURRED)

YES: Final = "yes"
FROM_TEXT_ALONE: Final = "image ignored"
"""GeekHub documents no image, and every surface ignores fields that it does not know."""
SWITCHED: Final = "switched"
"""Concurred documents that an image turns the model into its `-i2v` variant."""
NOT_OFFERED: Final = "not offered"
WITHDRAWN: Final = "withdrawn"
TAKES_NO_IMAGE: Final = "takes no image"
NEEDS_AN_IMAGE: Final = "needs an image"
MADE: Final = frozenset({YES, FROM_TEXT_ALONE, SWITCHED})
"""What ends with a video; the rest is refused."""

VARIANTS: Final = MappingProxyType({"kling-3-pro": "kling-3-pro-i2v", "wan-2.6": "wan-2.6-i2v"})
"""What Concurred switches to."""

Cells = tuple[str, str, str, str]
_HUB: Final = (YES, YES, NOT_OFFERED, NOT_OFFERED)
_HUB_IMAGE: Final = (YES, FROM_TEXT_ALONE, NOT_OFFERED, NOT_OFFERED)
_KYMA: Final = (YES, NOT_OFFERED, YES, NOT_OFFERED)
_CONCURRED: Final = (YES, NOT_OFFERED, NOT_OFFERED, YES)

MATRIX: Final[Mapping[tuple[str, str], Cells]] = MappingProxyType(
    {
        ("google/veo-3.1", TEXT): _HUB,
        ("google/veo-3.1", IMAGE): _HUB_IMAGE,
        ("google/veo-3", TEXT): _HUB,
        ("google/veo-3", IMAGE): _HUB_IMAGE,
        ("fal/veo-3.1", TEXT): _HUB,
        ("fal/veo-3.1", IMAGE): _HUB_IMAGE,
        ("fal/runway-gen-4", TEXT): (WITHDRAWN, WITHDRAWN, NOT_OFFERED, NOT_OFFERED),
        ("fal/runway-gen-4", IMAGE): (WITHDRAWN, WITHDRAWN, NOT_OFFERED, NOT_OFFERED),
        ("fal/luma-ray-2", TEXT): _HUB,
        ("fal/luma-ray-2", IMAGE): _HUB_IMAGE,
        ("fal/kling-2", TEXT): _HUB,
        ("fal/kling-2", IMAGE): _HUB_IMAGE,
        ("fal/hailuo-02", TEXT): _HUB,
        ("fal/hailuo-02", IMAGE): _HUB_IMAGE,
        ("kling-2.5-pro", TEXT): _KYMA,
        ("kling-2.5-pro", IMAGE): _KYMA,
        ("kling-3-pro", TEXT): (YES, NOT_OFFERED, YES, YES),
        ("kling-3-pro", IMAGE): (YES, NOT_OFFERED, YES, SWITCHED),
        ("kling-3-pro-audio", TEXT): _KYMA,
        ("kling-3-pro-audio", IMAGE): _KYMA,
        ("seedance-2-pro", TEXT): _KYMA,
        ("seedance-2-pro", IMAGE): _KYMA,
        ("seedance-2-fast", TEXT): _KYMA,
        ("seedance-2-fast", IMAGE): _KYMA,
        ("hailuo-02-512p", TEXT): _KYMA,
        ("hailuo-02-512p", IMAGE): _KYMA,
        ("hailuo-02-768p", TEXT): _KYMA,
        ("hailuo-02-768p", IMAGE): _KYMA,
        ("hailuo-02-1080p", TEXT): _KYMA,
        ("hailuo-02-1080p", IMAGE): _KYMA,
        ("veo-3-fast", TEXT): _KYMA,
        ("veo-3-fast", IMAGE): _KYMA,
        ("veo-3", TEXT): _KYMA,
        ("veo-3", IMAGE): _KYMA,
        ("veo-3.1", TEXT): _CONCURRED,
        ("veo-3.1", IMAGE): _CONCURRED,
        ("veo-3.1-fast", TEXT): _CONCURRED,
        ("veo-3.1-fast", IMAGE): _CONCURRED,
        ("kling-3-pro-i2v", TEXT): (NEEDS_AN_IMAGE, NOT_OFFERED, NOT_OFFERED, NEEDS_AN_IMAGE),
        ("kling-3-pro-i2v", IMAGE): _CONCURRED,
        ("wan-2.6", TEXT): _CONCURRED,
        ("wan-2.6", IMAGE): (TAKES_NO_IMAGE, NOT_OFFERED, NOT_OFFERED, SWITCHED),
        ("wan-2.6-i2v", TEXT): (NEEDS_AN_IMAGE, NOT_OFFERED, NOT_OFFERED, NEEDS_AN_IMAGE),
        ("wan-2.6-i2v", IMAGE): _CONCURRED,
    }
)
"""By model and kind of input, the surfaces in the order of `SURFACES`; fal, Vertex AI and MiniMax are configured."""

MODELS: Final = tuple(dict.fromkeys(model for model, _ in MATRIX))
"""Every model that is not drawn on this machine."""


def cells() -> Iterator[tuple[str, str, str, str]]:
    """Every surface, model and kind of input, and what becomes of it."""
    for (model, kind), row in MATRIX.items():
        for surface, outcome in zip(SURFACES, row, strict=True):
            yield surface, model, kind, outcome


PRICES: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        # US dollars that the provider charges, without markup.
        NATIVE: {
            "google/veo-3.1": 3_200_000,
            "google/veo-3": 1_600_000,
            "fal/veo-3.1": 3_200_000,
            "fal/luma-ray-2": 1_000_000,
            "fal/kling-2": 200_000,
            "fal/hailuo-02": 240_000,
            "kling-2.5-pro": 350_000,
            "kling-3-pro": 560_000,
            "kling-3-pro-audio": 840_000,
            "seedance-2-pro": 1_517_000,
            "seedance-2-fast": 1_209_500,
            "hailuo-02-512p": 85_000,
            "hailuo-02-768p": 225_000,
            "hailuo-02-1080p": 400_000,
            "veo-3-fast": 800_000,
            "veo-3": 3_200_000,
            "veo-3.1": 3_200_000,
            "veo-3.1-fast": 800_000,
            "kling-3-pro-i2v": 560_000,
            "wan-2.6": 250_000,
            "wan-2.6-i2v": 250_000,
        },
        # Pesos: 1.05 times, at 20 a dollar; the worked examples of GeekHub's pages.
        GEEKHUB: {
            "google/veo-3.1": 67_200_000,
            "google/veo-3": 33_600_000,
            "fal/veo-3.1": 67_200_000,
            "fal/luma-ray-2": 21_000_000,
            "fal/kling-2": 4_200_000,
            "fal/hailuo-02": 5_040_000,
        },
        # US dollars, 1.35 times: Kyma's table for five seconds, and Veo's per second.
        KYMA: {
            "kling-2.5-pro": 472_500,
            "kling-3-pro": 756_000,
            "kling-3-pro-audio": 1_134_000,
            "seedance-2-pro": 2_047_950,
            "seedance-2-fast": 1_632_825,
            "hailuo-02-512p": 114_750,
            "hailuo-02-768p": 303_750,
            "hailuo-02-1080p": 540_000,
            "veo-3-fast": 1_080_000,
            "veo-3": 4_320_000,
        },
        # Documents no charging.
        CONCURRED: dict.fromkeys(("veo-3.1", "veo-3.1-fast", "kling-3-pro", "kling-3-pro-i2v"), 0)
        | dict.fromkeys(("wan-2.6", "wan-2.6-i2v"), 0),
    }
)
"""What a customer of a surface is charged for a model's default length, in millionths of the account's currency."""
