"""How the servers that speak the OpenAI Videos shape differ where it matters to what is called and when.

What differs in the bodies is in `request.py`; what differs in the answers is read alike from all of them.

Source: the servers' own code, read 2026-11-20 in PyPI sglang 0.5.23 (multimodal_gen/runtime/entrypoints/openai),
vllm-omni 0.30.0 (vllm_omni/entrypoints/openai) and litellm 1.109.1 (litellm/proxy/video_endpoints,
litellm/llms/*/videos, litellm/exceptions.py).
"""

from enum import StrEnum


class Dialect(StrEnum):
    """Whose reading of the shape a server has."""

    OPENAI = "openai"
    """As OpenAI documented it; the guess for any server that is none of the others."""
    SGLANG = "sglang"
    """SGLang-diffusion."""
    VLLM_OMNI = "vllm_omni"
    """vLLM-Omni."""
    LITELLM = "litellm"
    """LiteLLM's proxy, whatever is behind it."""

    @property
    def can_cancel(self) -> bool:
        """Deleting a running video stops it; with the others it does nothing, or forgets a render that goes on."""
        return self is Dialect.VLLM_OMNI

    @property
    def can_upload(self) -> bool:
        """Finished videos may be in a bucket, at an address that the server tells."""
        return self is Dialect.SGLANG

    @property
    def is_proxy(self) -> bool:
        """It asks somebody else, and may answer a create with that one's silence."""
        return self is Dialect.LITELLM

    @property
    def check_path(self) -> str:
        """What can be asked for at no cost, behind the same key as the videos.

        LiteLLM's list of videos is no such thing: it asks a provider behind it, with a key that is not ours.
        """
        return "/models" if self is Dialect.LITELLM else "/videos?limit=1"
