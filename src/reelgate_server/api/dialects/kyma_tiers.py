"""Kyma's public table of tiers, as its documentation prints it. What it does not print is left out.

Source:
    docs/sources.md, D 2.7: the table of the rate-limit guide, and the sample of `GET /v1/limits/tiers`.
"""

from typing import Final

from reelgate.kyma.v1.kyma_service_pb2 import Tier


def _tier(number: int, min_deposit: int, rpm: int, per_model_rpm: int, video: tuple[int, int]) -> Tier:
    return Tier(
        tier=number,
        name=f"Tier {number}",
        min_deposit=min_deposit,
        rpm=rpm,
        per_model_rpm=per_model_rpm,
        video_concurrent=video[0],
        video_queue_depth_cap=video[1],
    )


def _images(tier: Tier, concurrent: int, queue_depth_cap: int) -> Tier:
    tier.image_concurrent = concurrent
    tier.image_queue_depth_cap = queue_depth_cap
    return tier


def _tier_0() -> Tier:
    tier = _images(_tier(0, 0, 30, 25, (0, 0)), 2, 6)
    tier.tpm = 200_000
    tier.max_single_request = 200_000
    tier.audio_concurrent = 2
    tier.audio_concurrent_per_provider.update({"groq": 1, "vertex": 2, "elevenlabs": 1, "minimax": 1, "openai": 1})
    return tier


def _tier_4() -> Tier:
    # Images and videos share one pool.
    tier = _images(_tier(4, 1000, 300, 200, (38, 114)), 38, 114)
    tier.combined_media_concurrent = 38
    tier.combined_queue_depth_cap = 114
    return tier


TIERS: Final = (
    _tier_0(),
    _images(_tier(1, 5, 60, 40, (4, 12)), 10, 30),
    _images(_tier(2, 50, 120, 80, (8, 24)), 20, 60),
    _images(_tier(3, 250, 200, 150, (10, 30)), 28, 84),
    _tier_4(),
)
"""Lowest first."""
