"""Orders in the words of Google's requests. Pure."""

from reelgate_server.adapters.providers.json_body import Base64Text
from reelgate_server.adapters.providers.vertex.shapes import Instance, SubmitRequest
from reelgate_server.domain.faults import Fault, FaultKind, ProviderFault
from reelgate_server.domain.spec import whole_seconds
from reelgate_server.ports.provider import FirstFrame, ImageUrl, RenderOrder


def to_request(order: RenderOrder, storage_uri: str | None = None) -> SubmitRequest:
    """Say what is ordered in the words of `predictLongRunning`.

    The customer's extra parameters come first, so that ours win; what would decide the price or the destination under
    another name was refused when the job was created (`domain/extra.py`).

    `enhancePrompt` is not sent: Veo 3 rewrites every prompt, and an operation that asks it not to ends with "Veo 3
    prompt enhancement cannot be disabled".

    Args:
        order: What is wanted.
        storage_uri: `gs://` folder for the results, each in a folder of its job; None to get them in the answer.

    Raises:
        ProviderFault: `INVALID`; the first frame is an address, and Veo fetches nothing from the web.
    """
    parameters: dict[str, object] = {
        **order.spec.extra,
        "sampleCount": 1,
        "durationSeconds": whole_seconds(order.spec.render_duration),
        "aspectRatio": order.spec.aspect_ratio,
        "resolution": order.spec.resolution,
        "generateAudio": order.has_audio,
    }
    if storage_uri is not None:
        parameters["storageUri"] = f"{storage_uri.rstrip('/')}/{order.job_id}/"
    return {"instances": [_instance(order.spec.prompt, order.image)], "parameters": parameters}


def _instance(prompt: str, image: FirstFrame | None) -> Instance:
    if image is None:
        return {"prompt": prompt}
    if isinstance(image, ImageUrl):
        detail = "not sent: the first frame came as an address"
        raise ProviderFault(Fault(kind=FaultKind.INVALID, detail=detail))
    return {
        "prompt": prompt,
        "image": {"bytesBase64Encoded": Base64Text(image.content), "mimeType": image.content_type},
    }
