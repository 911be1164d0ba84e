"""What Vertex AI sends and takes, as documented.

Source:
    cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation and its types
    `VideoGenerationModelInstance` and `VideoGenerationModelParams`; docs.cloud.google.com/
    gemini-enterprise-agent-platform/models/video/responsible-ai-and-usage-guidelines; the wire of google-genai 2.34.0
    and 3.4.0; google.rpc.Code and google.rpc.RetryInfo. Read 2026-11-20.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NotRequired, TypedDict

from reelgate_server.adapters.providers.json_body import Base64Text
from reelgate_server.domain.faults import FaultKind


class Media(TypedDict):
    """An image, as bytes: Veo fetches nothing from the web."""

    bytesBase64Encoded: Base64Text
    mimeType: str
    """The older pages name JPEG and PNG, the newer ones WebP too."""


class Instance(TypedDict):
    """What is to be seen."""

    prompt: str
    image: NotRequired[Media]
    """The first frame."""


class SubmitRequest(TypedDict):
    """Body of `predictLongRunning`.

    Names in `parameters` are camel case; the same in snake case are silently ignored (BerriAI/litellm issue 16776).
    """

    instances: list[Instance]
    parameters: dict[str, object]


class PollRequest(TypedDict):
    """Body of `fetchPredictOperation`."""

    operationName: str


class Video(TypedDict, total=False):
    """One rendered video: in a bucket, or in the answer."""

    gcsUri: str
    bytesBase64Encoded: str
    mimeType: str


class VideoResponse(TypedDict, total=False):
    """How a render ended. What the safety filter withheld is missing in `videos`, which then may be absent."""

    videos: list[Video]
    raiMediaFilteredCount: int
    raiMediaFilteredReasons: list[str]


class RpcStatus(TypedDict, total=False):
    """google.rpc.Status in JSON."""

    code: int
    """In an operation a number of google.rpc.Code, in an HTTP error the HTTP status."""
    message: str
    status: str
    """Name of the google.rpc.Code; HTTP errors only."""
    details: list[dict[str, object]]


class Operation(TypedDict, total=False):
    """What a poll answers, with HTTP 200 whatever became of the render. While it runs, `done` is absent."""

    name: str
    done: bool
    error: RpcStatus
    response: VideoResponse


RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"
BAD_REQUEST: Final = "type.googleapis.com/google.rpc.BadRequest"

RPC_CODES: Final[Mapping[int, tuple[str, FaultKind]]] = MappingProxyType(
    {
        1: ("CANCELLED", FaultKind.UNAVAILABLE),
        2: ("UNKNOWN", FaultKind.UNAVAILABLE),
        3: ("INVALID_ARGUMENT", FaultKind.INVALID),
        4: ("DEADLINE_EXCEEDED", FaultKind.TIMEOUT),
        5: ("NOT_FOUND", FaultKind.INVALID),
        6: ("ALREADY_EXISTS", FaultKind.INVALID),
        7: ("PERMISSION_DENIED", FaultKind.UNAUTHORIZED),
        8: ("RESOURCE_EXHAUSTED", FaultKind.THROTTLED),
        9: ("FAILED_PRECONDITION", FaultKind.INVALID),
        10: ("ABORTED", FaultKind.UNAVAILABLE),
        11: ("OUT_OF_RANGE", FaultKind.INVALID),
        12: ("UNIMPLEMENTED", FaultKind.INVALID),
        13: ("INTERNAL", FaultKind.UNAVAILABLE),
        14: ("UNAVAILABLE", FaultKind.UNAVAILABLE),
        15: ("DATA_LOSS", FaultKind.UNAVAILABLE),
        16: ("UNAUTHENTICATED", FaultKind.UNAUTHORIZED),
    }
)
"""Number of google.rpc.Code to its name and to what it means for a render. NOT_FOUND is our mistake: a bucket, say."""

SUPPORT_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "58061214": "child",
        "17301594": "child",
        "29310472": "celebrity",
        "15236754": "celebrity",
        "64151117": "video safety violation",
        "42237218": "video safety violation",
        "62263041": "dangerous content",
        "57734940": "hate",
        "22137204": "hate",
        "74803281": "other",
        "29578790": "other",
        "42876398": "other",
        "89371032": "prohibited content",
        "49114662": "prohibited content",
        "63429089": "prohibited content",
        "72817394": "prohibited content",
        "60599140": "prohibited content",
        "35561574": "third-party content",
        "35561575": "third-party content",
        "90789179": "sexual",
        "43188360": "sexual",
        "78610348": "toxic",
        "61493863": "violence",
        "56562880": "violence",
        "32635315": "vulgar",
    }
)
"""Codes in the texts of the safety filters, and what they stand for."""
