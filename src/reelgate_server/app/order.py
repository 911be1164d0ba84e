"""Turn a job into what a provider is asked to make."""

from contextlib import aclosing

from reelgate_server.domain.catalogue import Catalogue
from reelgate_server.domain.job import Job
from reelgate_server.domain.spec import InlineImage
from reelgate_server.ports.media import BUCKET, MediaStore
from reelgate_server.ports.provider import FirstFrame, ImageBytes, ImageUrl, RenderOrder

_SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


def video_name(job: Job) -> str:
    """Where a job's video is kept."""
    return f"{BUCKET}/{job.account_id}/{job.job_id}/video.mp4"


def image_name(job: Job, image: InlineImage) -> str:
    """Where a first frame that came with the request is kept: a name that nobody can guess who lacks the image."""
    return f"{BUCKET}/{job.account_id}/{job.job_id}/{image.sha256}.{_SUFFIXES[image.content_type]}"


def order_of(job: Job, catalogue: Catalogue, image: FirstFrame | None = None) -> RenderOrder:
    """The order of a job, by the present row of its model; without an endpoint if the row or its route has gone.

    Args:
        job: Whose provider is asked.
        catalogue: Knows what the provider calls the model. A stand-in is told what the model's first provider would be.
        image: The first frame, if there is one.
    """
    model = catalogue.row(job.spec.model)
    route = model.route(job.provider) if model else None
    if model is not None and job.is_simulated:
        route = model.routes[0]
    endpoint = route.endpoint(has_image=job.spec.has_image) if route else None
    return RenderOrder(
        job_id=job.job_id,
        spec=job.spec,
        endpoint=endpoint or "",
        has_audio=model.has_audio if model else False,
        is_simulated=job.is_simulated,
        image=image,
    )


async def load_image(job: Job, media: MediaStore) -> FirstFrame | None:
    """The first frame of a job: the customer's address, or the bytes that came with the request.

    Raises:
        MediaNotFound: The bytes are gone.
        MediaUnavailable: The media store cannot read now.
    """
    if job.spec.image is None:
        return ImageUrl(job.spec.image_url) if job.spec.image_url is not None else None
    name = image_name(job, job.spec.image)
    stat = await media.stat(name)
    async with aclosing(media.read(name, start=0, end=stat.size_bytes)) as chunks:
        content = b"".join([chunk async for chunk in chunks])
    return ImageBytes(content, job.spec.image.content_type)
