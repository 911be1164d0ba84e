"""Reads the catalogue from TOML and names the line of what is broken in it.

Theory of operation
===================

Adding a model is adding a row, so a mistake in a row must be found when the server starts and must be easy to find in
the file. `tomllib` keeps no positions. A broken row is therefore looked up in the text once it is known to be broken:
row n belongs to the n-th line that opens a `[[model]]`, and a field to the first line in that row which assigns it. A
line counts only if all that precedes it is TOML by itself; inside a multi-line string it is not.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from reelgate_server.domain.accounts import Surface
from reelgate_server.domain.catalogue import Catalogue, ImageInput, Model, Route
from reelgate_server.domain.ids import ModelId, ProviderName

CLIP_SECONDS_MAX = 3600
"""No length in the catalogue is longer; it keeps a mistyped range from filling memory."""
DEADLINE_SECONDS_MAX = 86_400
"""No deadline is longer than a day; a hold must not outlast anybody's patience."""
NAME_CHARACTERS_MAX = 100
SENTENCE_CHARACTERS_MAX = 200
PROMPT_CHARACTERS_MAX = 1_000_000
"""No provider documents more; it only keeps out mistakes."""

_REQUIRED = (
    "id",
    "name",
    "provider",
    "surfaces",
    "cost_per_second",
    "durations",
    "render_durations",
    "aspect_ratios",
    "resolutions",
    "audio",
    "image_input",
    "deadline_s",
    "typical_render_s",
)
_ROUTE_OPTIONAL = (
    "text_endpoint",
    "image_endpoint",
    "render_durations_at",
    "refused_aspect_ratios",
    "prompt_characters_max",
    "withdrawn",
)
_OPTIONAL = (*_ROUTE_OPTIONAL, "fallbacks")
_FALLBACK_REQUIRED = ("provider", "render_durations")

_ID = re.compile(r"[a-z0-9./_-]{1,100}")
_PROVIDER = re.compile(r"[a-z][a-z0-9_-]{0,49}")
_ENDPOINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,199}")
_COST = re.compile(r"[0-9]{1,6}(\.[0-9]{1,12})?")
_RATIO = re.compile(r"[1-9][0-9]{0,3}:[1-9][0-9]{0,3}")
_RATIO_FORM = "W:H such as '16:9'"
_RESOLUTION = re.compile(r"[1-9][0-9]{2,3}p|[1-9][0-9]?k")
_ROW = re.compile(r"""[ \t]*\[\[[ \t]*["']?model["']?[ \t]*\]\]""")
_SYNTAX_LINE = re.compile(r"\(at line (\d+), column \d+\)")


class BrokenCatalogue(ValueError):
    """The file holds no valid catalogue; the first mistake found."""

    def __init__(self, *, source: str, line: int, what: str) -> None:
        """Name the file, the 1-based line, and what is wrong there."""
        self.source = source
        self.line = line
        super().__init__(f"{source}:{line}: {what}")


class _BrokenField(ValueError):
    """A field breaks its rule; where it stands in the file is not known yet."""

    def __init__(self, *, field: str, what: str) -> None:
        self.field = field
        self.what = what
        super().__init__(f"{field}: {what}")


def parse_catalogue(text: str, source: str) -> Catalogue:
    """Read every `[[model]]` row; a file without any is an empty catalogue.

    Args:
        text: The whole file.
        source: Its name, for messages.

    Raises:
        BrokenCatalogue: `source:LINE: [[model]] 'id': field: what is wrong`. The line is the field's, or the row's
            where the field is missing; for what is no TOML at all, the line that the TOML parser names.
    """
    lines = text.split("\n")
    models: dict[ModelId, Model] = {}
    for index, row in enumerate(_rows(text, lines, source)):
        try:
            model = _model(row)
            _refuse_repeat(model, models, lines)
        except _BrokenField as broken:
            name = row.get("id")
            label = repr(name[:NAME_CHARACTERS_MAX]) if isinstance(name, str) else f"number {index + 1}"
            raise BrokenCatalogue(
                source=source, line=_field_line(lines, index, broken.field), what=f"[[model]] {label}: {broken}"
            ) from None
        models[model.model_id] = model
    return Catalogue(models.values())


def extend(base: Catalogue, extra: Catalogue) -> Catalogue:
    """The catalogue with an operator's rows: one of a known id replaces that row in its place, others follow."""
    return Catalogue({model.model_id: model for model in (*base.all(), *extra.all())}.values())


def _rows(text: str, lines: list[str], source: str) -> list[Mapping[str, object]]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _SYNTAX_LINE.search(str(error))
        # Without a place the mistake is at the end of the document.
        raise BrokenCatalogue(
            source=source, line=int(place[1]) if place else len(lines), what=f"not TOML: {error}"
        ) from None
    for key in document:
        if key != "model":
            line = _key_line(lines, key, 0, len(lines)) or 1
            raise BrokenCatalogue(source=source, line=line, what=f"{key}: only [[model]] rows belong here")
    rows = document.get("model", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        line = _key_line(lines, "model", 0, len(lines)) or 1
        raise BrokenCatalogue(source=source, line=line, what="model: must be [[model]] rows")
    return rows


def _refuse_repeat(model: Model, models: Mapping[ModelId, Model], lines: list[str]) -> None:
    if model.model_id in models:
        line = _row_line(lines, list(models).index(model.model_id))
        raise _BrokenField(field="id", what=f"is that of the row on line {line} too")


def _model(row: Mapping[str, object]) -> Model:
    for field in row:
        if field not in _REQUIRED and field not in _OPTIONAL:
            raise _BrokenField(field=field, what="is no field of a model")
    for field in _REQUIRED:
        if field not in row:
            raise _BrokenField(field=field, what="is missing")
    model_id = _text(row, "id", _ID, "1 to 100 characters of a-z, 0-9 and ./_-")
    image_input = _image_input(row)
    durations_s, duration_default_s = _durations(row)
    deadline_s = _whole(row["deadline_s"], "deadline_s", DEADLINE_SECONDS_MAX)
    return Model(
        model_id=ModelId(model_id),
        name=_name(row),
        routes=_routes(row, image_input, durations_s[-1]),
        surfaces=_surfaces(row),
        cost_per_second=Decimal(_text(row, "cost_per_second", _COST, "a string of a decimal >= 0 such as '0.112'")),
        durations_s=durations_s,
        duration_default_s=duration_default_s,
        aspect_ratios=_texts(row, "aspect_ratios", _RATIO, _RATIO_FORM),
        resolutions=_texts(row, "resolutions", _RESOLUTION, "a resolution such as '720p' or '4k'"),
        has_audio=_flag(row, "audio"),
        image_input=image_input,
        deadline=timedelta(seconds=deadline_s),
        typical_render_time=timedelta(seconds=_whole(row["typical_render_s"], "typical_render_s", deadline_s)),
    )


def _routes(row: Mapping[str, object], image_input: ImageInput, longest_s: int) -> tuple[Route, ...]:
    _check_endpoints(row, image_input, are_required=True)
    routes = [_route(row, longest_s)]
    fallbacks = row.get("fallbacks", [])
    if not isinstance(fallbacks, list) or not all(isinstance(each, dict) for each in fallbacks):
        raise _BrokenField(field="fallbacks", what=f"must be a list of tables, not {fallbacks!r:.80}")
    for fallback in fallbacks:
        try:
            routes.append(_fallback(fallback, image_input, longest_s))
        except _BrokenField as broken:
            raise _BrokenField(field="fallbacks", what=str(broken)) from None
    if len({route.provider for route in routes}) < len(routes):
        raise _BrokenField(field="fallbacks", what="names a provider twice")
    return tuple(routes)


def _fallback(row: Mapping[str, object], image_input: ImageInput, longest_s: int) -> Route:
    for field in _FALLBACK_REQUIRED:
        if field not in row:
            raise _BrokenField(field=field, what="is missing")
    for field in row:
        if field not in _FALLBACK_REQUIRED and field not in _ROUTE_OPTIONAL:
            raise _BrokenField(field=field, what="is no field of a fallback")
    if not ({"text_endpoint", "image_endpoint"} & row.keys()):
        raise _BrokenField(field="text_endpoint", what="is missing, and so is image_endpoint")
    _check_endpoints(row, image_input, are_required=False)
    return _route(row, longest_s)


def _route(row: Mapping[str, object], longest_s: int) -> Route:
    form = "1 to 200 characters that a provider's address may hold"
    text, image = (
        _text(row, field, _ENDPOINT, form) if field in row else None for field in ("text_endpoint", "image_endpoint")
    )
    return Route(
        provider=ProviderName(_text(row, "provider", _PROVIDER, "the name of a provider such as 'fal'")),
        text_endpoint=text,
        image_endpoint=image,
        render_durations_s=_render_durations(row["render_durations"], "render_durations", longest_s),
        render_durations_at=_render_durations_at(row, longest_s),
        refused_aspect_ratios=_texts(row, "refused_aspect_ratios", _RATIO, _RATIO_FORM)
        if "refused_aspect_ratios" in row
        else (),
        prompt_characters_max=_characters(row, "prompt_characters_max") if "prompt_characters_max" in row else None,
        withdrawn=_sentence(row, "withdrawn") if "withdrawn" in row else None,
    )


def _characters(row: Mapping[str, object], field: str) -> int:
    value = row[field]
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= PROMPT_CHARACTERS_MAX:
        return value
    raise _BrokenField(field=field, what=f"must be a whole number from 1 to {PROMPT_CHARACTERS_MAX}, not {value!r:.80}")


def _sentence(row: Mapping[str, object], field: str) -> str:
    value = row[field]
    if isinstance(value, str) and 1 <= len(value) <= SENTENCE_CHARACTERS_MAX and value.isprintable():
        return value
    raise _BrokenField(field=field, what=f"must be a sentence of at most {SENTENCE_CHARACTERS_MAX} characters")


def _name(row: Mapping[str, object]) -> str:
    value = row["name"]
    if isinstance(value, str) and 1 <= len(value) <= NAME_CHARACTERS_MAX and value.isprintable():
        return value
    raise _BrokenField(field="name", what=f"must be 1 to {NAME_CHARACTERS_MAX} printable characters, not {value!r:.80}")


def _surfaces(row: Mapping[str, object]) -> frozenset[Surface]:
    # Every model is native, so naming that surface would suggest that it can be left out.
    dialects = tuple(surface.value for surface in Surface if surface is not Surface.NATIVE)
    form = re.compile("|".join(dialects))
    names = _texts(row, "surfaces", form, f"one of {', '.join(dialects)}", is_empty_allowed=True)
    return frozenset(map(Surface, names))


def _image_input(row: Mapping[str, object]) -> ImageInput:
    form = re.compile("|".join(ImageInput))
    return ImageInput(_text(row, "image_input", form, f"one of {', '.join(ImageInput)}"))


def _check_endpoints(row: Mapping[str, object], image_input: ImageInput, *, are_required: bool) -> None:
    expected = {
        "text_endpoint": image_input is not ImageInput.REQUIRED,
        "image_endpoint": image_input is not ImageInput.NONE,
    }
    for field, is_expected in expected.items():
        if are_required and is_expected and field not in row:
            raise _BrokenField(field=field, what=f"is missing, though image_input is '{image_input}'")
        if field in row and not is_expected:
            raise _BrokenField(field=field, what=f"must be absent, because image_input is '{image_input}'")


def _durations(row: Mapping[str, object]) -> tuple[tuple[int, ...], int]:
    field, value = "durations", row["durations"]
    if not isinstance(value, dict) or set(value) not in ({"default", "min", "max"}, {"default", "allowed"}):
        form = "{ default = 5, min = 1, max = 10 } or { default = 8, allowed = [4, 6, 8] }"
        raise _BrokenField(field=field, what=f"must be of the form {form}, not {value!r:.80}")
    rest = {key: each for key, each in value.items() if key != "default"}
    seconds = _lengths(rest.get("allowed", rest), field)
    default = _whole(value["default"], field, CLIP_SECONDS_MAX)
    if default not in seconds:
        raise _BrokenField(field=field, what=f"the default, {default}, is not one of them")
    return seconds, default


def _render_durations_at(row: Mapping[str, object], longest_s: int) -> Mapping[str, tuple[int, ...]]:
    field = "render_durations_at"
    value = row.get(field, {})
    if not isinstance(value, dict) or not all(_RESOLUTION.fullmatch(name) for name in value):
        raise _BrokenField(field=field, what=f"must be of the form {{ 1080p = [8] }}, not {value!r:.80}")
    return {name: _render_durations(lengths, field, longest_s) for name, lengths in value.items()}


def _render_durations(value: object, field: str, longest_s: int) -> tuple[int, ...]:
    seconds = _lengths(value, field)
    if seconds[-1] < longest_s:
        raise _BrokenField(
            field=field, what=f"the longest, {seconds[-1]}, is shorter than the longest of durations, {longest_s}"
        )
    return seconds


def _lengths(value: object, field: str) -> tuple[int, ...]:
    """Whole seconds, ascending, from a list or from `{ min, max }`."""
    if isinstance(value, dict) and set(value) == {"min", "max"}:
        first, last = (_whole(value[key], field, CLIP_SECONDS_MAX) for key in ("min", "max"))
        seconds = list(range(first, last + 1))
    elif isinstance(value, list):
        seconds = [_whole(each, field, CLIP_SECONDS_MAX) for each in value]
    else:
        raise _BrokenField(field=field, what=f"must be a list or {{ min = 1, max = 10 }}, not {value!r:.80}")
    if not seconds:
        raise _BrokenField(field=field, what="holds no length")
    if seconds != sorted(set(seconds)):
        raise _BrokenField(field=field, what="must be ascending, without repeats")
    return tuple(seconds)


def _flag(row: Mapping[str, object], field: str) -> bool:
    value = row[field]
    if isinstance(value, bool):
        return value
    raise _BrokenField(field=field, what=f"must be true or false, not {value!r:.80}")


def _whole(value: object, field: str, largest: int) -> int:
    # A TOML boolean is a Python bool, which is an int.
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest:
        return value
    raise _BrokenField(field=field, what=f"must be whole seconds from 1 to {largest}, not {value!r:.80}")


def _text(row: Mapping[str, object], field: str, form: re.Pattern[str], must_be: str) -> str:
    value = row[field]
    if isinstance(value, str) and form.fullmatch(value):
        return value
    raise _BrokenField(field=field, what=f"must be {must_be}, not {value!r:.80}")


def _texts(
    row: Mapping[str, object], field: str, form: re.Pattern[str], must_be: str, *, is_empty_allowed: bool = False
) -> tuple[str, ...]:
    values = row[field]
    if not isinstance(values, list) or not (values or is_empty_allowed):
        raise _BrokenField(field=field, what=f"must be a list, each {must_be}, not {values!r:.80}")
    texts = tuple(_text({field: each}, field, form, f"a list, each {must_be}") for each in values)
    if len(set(texts)) < len(texts):
        raise _BrokenField(field=field, what="names something twice")
    return texts


def _row_line(lines: list[str], index: int) -> int:
    """The 1-based line that opens a row; 1 where rows are written otherwise than under `[[model]]`."""
    opening = [number for number, line in enumerate(lines, 1) if _ROW.match(line) and _is_statement(lines, number)]
    return opening[index] if index < len(opening) else 1


def _field_line(lines: list[str], index: int, field: str) -> int:
    """The 1-based line that assigns a field of a row; the row's own where there is none."""
    start = _row_line(lines, index)
    following = _row_line(lines, index + 1)
    end = following - 1 if following > start else len(lines)
    return _key_line(lines, field, start, end) or start


def _key_line(lines: list[str], key: str, start: int, end: int) -> int | None:
    """The first 1-based line after `start`, up to `end`, that assigns a key or opens its table."""
    name = re.escape(key)
    form = re.compile(rf"""[ \t]*(\[+[ \t]*(model[ \t]*\.[ \t]*)?)?["']?{name}["']?[ \t]*[.=\]]""")
    numbers = range(start + 1, end + 1)
    return next((each for each in numbers if form.match(lines[each - 1]) and _is_statement(lines, each)), None)


def _is_statement(lines: list[str], number: int) -> bool:
    """Tell whether a line begins a statement, and is not the inside of a string that spans lines."""
    try:
        tomllib.loads("".join(f"{line}\n" for line in lines[: number - 1]))
    except tomllib.TOMLDecodeError:
        return False
    return True
