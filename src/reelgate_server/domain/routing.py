"""Which of a model's providers can render what was asked for."""

from collections.abc import Iterator
from datetime import timedelta

from reelgate_server.domain.catalogue import Route
from reelgate_server.domain.errors import FieldViolation, InvalidSpec
from reelgate_server.domain.events import Fallback
from reelgate_server.domain.spec import Spec, whole_seconds


def able_routes(spec: Spec, routes: tuple[Route, ...]) -> tuple[Fallback, ...]:
    """Those routes that render what is asked for, in their order, with the length that each is asked for.

    A route knows limits that the model, as its gateway documents it, does not.

    Args:
        spec: What the model's row allows.
        routes: Over the providers that are configured; may be empty.

    Raises:
        InvalidSpec: There are routes, and none renders it; names what stands in the way of the first.
    """
    able = [each for each in routes if not list(_limits(spec, each))]
    if routes and not able:
        raise InvalidSpec(_limits(spec, routes[0]))
    seconds = whole_seconds(spec.clip_duration)
    return tuple(
        Fallback(
            provider=each.provider,
            render_duration=timedelta(seconds=each.render_duration_s(seconds, spec.resolution)),
        )
        for each in able
    )


def _limits(spec: Spec, route: Route) -> Iterator[FieldViolation]:
    """What a provider does not render of it."""
    whose = f"by the provider of model '{spec.model}'"
    if route.endpoint(has_image=spec.has_image) is None:
        need = "is not accepted" if spec.has_image else "is required"
        yield FieldViolation("image_url", f"{need} {whose}", is_missing=not spec.has_image)
    longest = route.prompt_characters_max
    if longest is not None and len(spec.prompt) > longest:
        yield FieldViolation("prompt", f"must be at most {longest} characters for model '{spec.model}'")
    if spec.aspect_ratio in route.refused_aspect_ratios:
        yield FieldViolation("aspect_ratio", f"{spec.aspect_ratio} is not rendered {whose}")
