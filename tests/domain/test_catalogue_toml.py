"""A catalogue is read from TOML; a broken row names its line."""

from datetime import timedelta
from decimal import Decimal

import pytest

from reelgate_server.domain.accounts import Surface
from reelgate_server.domain.catalogue import Catalogue, ImageInput, Model, Route
from reelgate_server.domain.catalogue_toml import BrokenCatalogue, extend, parse_catalogue
from reelgate_server.domain.ids import ModelId, ProviderName
from tests.domain.builders import CATALOGUE, CATALOGUE_TEXT, a_model

ROW = """\
[[model]]
id = "a/model"
name = "A Model"
provider = "fal"
surfaces = ["kyma", "concurred"]
text_endpoint = "owner/app/text"
image_endpoint = "owner/app/image"
cost_per_second = "0.112"
durations = { default = 5, min = 1, max = 10 }
render_durations = [5, 10]
aspect_ratios = ["16:9", "21:9"]
resolutions = ["720p", "4k"]
audio = true
image_input = "optional"
deadline_s = 600
typical_render_s = 120
"""
DURATIONS_FORM = "must be of the form { default = 5, min = 1, max = 10 } or { default = 8, allowed = [4, 6, 8] }"
LINE = {line.split(" ")[0]: number for number, line in enumerate(ROW.splitlines(), 1)}


def broken(text: str) -> str:
    """The message of a refusal."""
    with pytest.raises(BrokenCatalogue) as refusal:
        parse_catalogue(text, "models.toml")
    return str(refusal.value)


def with_line(field: str, line: str) -> str:
    """The row with another line for one field; an empty one removes it."""
    return "\n".join(line if each.startswith(f"{field} ") else each for each in ROW.splitlines())


def test_a_row_becomes_a_model() -> None:
    assert parse_catalogue(ROW, "models.toml").all() == (
        Model(
            model_id=ModelId("a/model"),
            name="A Model",
            routes=(
                Route(
                    provider=ProviderName("fal"),
                    text_endpoint="owner/app/text",
                    image_endpoint="owner/app/image",
                    render_durations_s=(5, 10),
                    refused_aspect_ratios=(),
                    withdrawn=None,
                ),
            ),
            surfaces=frozenset({Surface.KYMA, Surface.CONCURRED}),
            cost_per_second=Decimal("0.112"),
            durations_s=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
            duration_default_s=5,
            aspect_ratios=("16:9", "21:9"),
            resolutions=("720p", "4k"),
            has_audio=True,
            image_input=ImageInput.OPTIONAL,
            deadline=timedelta(minutes=10),
            typical_render_time=timedelta(minutes=2),
        ),
    )


@pytest.mark.parametrize("text", ["", "# Nothing yet.\n", "model = []\n"])
def test_a_file_without_rows_is_an_empty_catalogue(text: str) -> None:
    assert parse_catalogue(text, "models.toml").all() == ()


def test_lengths_can_be_listed_or_spanned() -> None:
    text = with_line("durations", "durations = { default = 8, allowed = [4, 6, 8] }").replace(
        "render_durations = [5, 10]", "render_durations = { min = 4, max = 8 }"
    )
    (model,) = parse_catalogue(text, "models.toml").all()
    assert (model.durations_s, model.duration_default_s) == ((4, 6, 8), 8)
    assert model.routes[0].render_durations_s == (4, 5, 6, 7, 8)


@pytest.mark.parametrize(
    ("image_input", "removed", "text_endpoint", "image_endpoint"),
    [
        ("none", "image_endpoint", "owner/app/text", None),
        ("required", "text_endpoint", None, "owner/app/image"),
    ],
)
def test_endpoints_follow_from_the_image_a_model_takes(
    image_input: str, removed: str, text_endpoint: str | None, image_endpoint: str | None
) -> None:
    text = with_line(removed, "").replace('"optional"', f'"{image_input}"')
    (model,) = parse_catalogue(text, "models.toml").all()
    (route,) = model.routes
    assert (model.image_input, route.text_endpoint, route.image_endpoint) == (
        image_input,
        text_endpoint,
        image_endpoint,
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('id = "A/Model"', "must be 1 to 100 characters of a-z, 0-9 and ./_-, not 'A/Model'"),
        ('id = ""', "must be 1 to 100 characters of a-z, 0-9 and ./_-, not ''"),
        ('name = ""', "must be 1 to 100 printable characters, not ''"),
        ('name = "a\\u0007b"', "must be 1 to 100 printable characters, not 'a\\x07b'"),
        ("name = 3", "must be 1 to 100 printable characters, not 3"),
        ('provider = "Fal"', "must be the name of a provider such as 'fal', not 'Fal'"),
        ("provider = true", "must be the name of a provider such as 'fal', not True"),
        ('surfaces = ["kyma", "kima"]', "must be a list, each one of geekhub, kyma, concurred, not 'kima'"),
        ('surfaces = ["native"]', "must be a list, each one of geekhub, kyma, concurred, not 'native'"),
        ('surfaces = "kyma"', "must be a list, each one of geekhub, kyma, concurred, not 'kyma'"),
        ('surfaces = ["kyma", "kyma"]', "names something twice"),
        ('text_endpoint = ""', "must be 1 to 200 characters that a provider's address may hold, not ''"),
        ('image_endpoint = "a?b"', "must be 1 to 200 characters that a provider's address may hold, not 'a?b'"),
        ("cost_per_second = 0.112", "must be a string of a decimal >= 0 such as '0.112', not 0.112"),
        ('cost_per_second = "-0.1"', "must be a string of a decimal >= 0 such as '0.112', not '-0.1'"),
        ('cost_per_second = "NaN"', "must be a string of a decimal >= 0 such as '0.112', not 'NaN'"),
        ('cost_per_second = "1e3"', "must be a string of a decimal >= 0 such as '0.112', not '1e3'"),
        ("durations = { default = 11, min = 1, max = 10 }", "the default, 11, is not one of them"),
        ("durations = { default = 5, min = 6, max = 5 }", "holds no length"),
        ("durations = { default = 5, allowed = [] }", "holds no length"),
        ("durations = { default = 5, allowed = [6, 5] }", "must be ascending, without repeats"),
        ("durations = { default = 5, allowed = [5, 5] }", "must be ascending, without repeats"),
        ("durations = { default = 5, allowed = 5 }", "must be a list or { min = 1, max = 10 }, not 5"),
        ("durations = { default = 0, min = 0, max = 10 }", "must be whole seconds from 1 to 3600, not 0"),
        ("durations = { default = 5, min = 1, max = 3601 }", "must be whole seconds from 1 to 3600, not 3601"),
        ("durations = { default = 5.0, min = 1, max = 10 }", "must be whole seconds from 1 to 3600, not 5.0"),
        ("durations = { default = true, min = 1, max = 10 }", "must be whole seconds from 1 to 3600, not True"),
        (
            "durations = { min = 1, max = 10 }",
            f"{DURATIONS_FORM}, not {{'min': 1, 'max': 10}}",
        ),
        (
            "durations = [5, 10]",
            f"{DURATIONS_FORM}, not [5, 10]",
        ),
        ("render_durations = []", "holds no length"),
        ("render_durations = [10, 5]", "must be ascending, without repeats"),
        ("render_durations = [5, '10']", "must be whole seconds from 1 to 3600, not '10'"),
        ("render_durations = { max = 10 }", "must be a list or { min = 1, max = 10 }, not {'max': 10}"),
        ("render_durations = [5, 9]", "the longest, 9, is shorter than the longest of durations, 10"),
        ('aspect_ratios = ["16:9", "16x9"]', "must be a list, each W:H such as '16:9', not '16x9'"),
        ('aspect_ratios = ["0:9"]', "must be a list, each W:H such as '16:9', not '0:9'"),
        ("aspect_ratios = []", "must be a list, each W:H such as '16:9', not []"),
        ("resolutions = []", "must be a list, each a resolution such as '720p' or '4k', not []"),
        ('resolutions = ["720P"]', "must be a list, each a resolution such as '720p' or '4k', not '720P'"),
        ("resolutions = [720]", "must be a list, each a resolution such as '720p' or '4k', not 720"),
        ('audio = "yes"', "must be true or false, not 'yes'"),
        ("audio = 1", "must be true or false, not 1"),
        ('image_input = "maybe"', "must be one of none, optional, required, not 'maybe'"),
        ("deadline_s = 0", "must be whole seconds from 1 to 86400, not 0"),
        ("deadline_s = 86401", "must be whole seconds from 1 to 86400, not 86401"),
        ("deadline_s = -600", "must be whole seconds from 1 to 86400, not -600"),
        ("typical_render_s = 0", "must be whole seconds from 1 to 600, not 0"),
        ("typical_render_s = 601", "must be whole seconds from 1 to 600, not 601"),
    ],
)
def test_a_broken_field_is_named_with_its_line_and_reason(line: str, reason: str) -> None:
    field = line.split(" ", maxsplit=1)[0]
    label = line.split(" ", 2)[2].replace('"', "'") if field == "id" else "'a/model'"
    assert broken(with_line(field, line)) == f"models.toml:{LINE[field]}: [[model]] {label}: {field}: {reason}"


@pytest.mark.parametrize("field", sorted(set(LINE) - {"[[model]]", "id", "text_endpoint", "image_endpoint"}))
def test_a_missing_field_is_named_with_the_line_of_its_row(field: str) -> None:
    assert broken(f"\n\n{with_line(field, '')}") == f"models.toml:3: [[model]] 'a/model': {field}: is missing"


def test_a_row_without_a_readable_id_is_named_by_its_number() -> None:
    second = with_line("id", "")
    assert broken(ROW + second) == "models.toml:17: [[model]] number 2: id: is missing"
    assert broken(with_line("id", "id = 7")).startswith("models.toml:2: [[model]] number 1: id: must be ")


def test_an_id_has_at_most_a_hundred_characters() -> None:
    assert parse_catalogue(with_line("id", f'id = "{"a" * 100}"'), "models.toml").row(ModelId("a" * 100))
    assert broken(with_line("id", f'id = "{"a" * 101}"')).startswith(
        f"models.toml:2: [[model]] '{'a' * 100}': id: must"
    )


def test_an_unknown_field_is_named_with_its_line() -> None:
    assert broken(ROW + "colour = 3\n") == "models.toml:17: [[model]] 'a/model': colour: is no field of a model"


@pytest.mark.parametrize(
    ("image_input", "removed", "line", "reason"),
    [
        ("optional", "text_endpoint", 1, "text_endpoint: is missing, though image_input is 'optional'"),
        ("optional", "image_endpoint", 1, "image_endpoint: is missing, though image_input is 'optional'"),
        ("required", "image_endpoint", 6, "text_endpoint: must be absent, because image_input is 'required'"),
        ("required", "nothing", 6, "text_endpoint: must be absent, because image_input is 'required'"),
        ("none", "nothing", 7, "image_endpoint: must be absent, because image_input is 'none'"),
        ("none", "text_endpoint", 1, "text_endpoint: is missing, though image_input is 'none'"),
    ],
)
def test_an_endpoint_that_does_not_fit_the_image_input_is_refused(
    image_input: str, removed: str, line: int, reason: str
) -> None:
    text = with_line(removed, "").replace('"optional"', f'"{image_input}"')
    assert broken(text) == f"models.toml:{line}: [[model]] 'a/model': {reason}"


FALLBACK = '{ provider = "vertex", text_endpoint = "veo", render_durations = [4, 10] }'


def with_more(line: str) -> str:
    """The row with one more line, the 17th."""
    return f"{ROW}{line}\n"


def test_fallbacks_become_routes_in_their_order() -> None:
    text = with_more(
        f"fallbacks = [{FALLBACK}, "
        '{ provider = "my-gpu", image_endpoint = "wan", render_durations = { min = 9, max = 10 }, '
        'refused_aspect_ratios = ["21:9"], withdrawn = "It is being mended." }]'
    )
    (model,) = parse_catalogue(text, "models.toml").all()
    assert model.routes[1:] == (
        Route(
            provider=ProviderName("vertex"),
            text_endpoint="veo",
            image_endpoint=None,
            render_durations_s=(4, 10),
        ),
        Route(
            provider=ProviderName("my-gpu"),
            text_endpoint=None,
            image_endpoint="wan",
            render_durations_s=(9, 10),
            refused_aspect_ratios=("21:9",),
            withdrawn="It is being mended.",
        ),
    )


def test_the_rows_own_provider_may_have_limits_and_have_withdrawn_it() -> None:
    text = with_more(
        'refused_aspect_ratios = ["21:9"]\nprompt_characters_max = 800\nwithdrawn = "It was retired in June."'
    )
    (route,) = parse_catalogue(text, "models.toml").all()[0].routes
    assert route.refused_aspect_ratios == ("21:9",)
    assert (route.prompt_characters_max, route.withdrawn) == (800, "It was retired in June.")


def test_lengths_may_depend_on_the_resolution() -> None:
    text = with_more("render_durations_at = { 4k = [10], 720p = { min = 9, max = 10 } }")
    (route,) = parse_catalogue(text, "models.toml").all()[0].routes
    assert route.render_durations_s == (5, 10)
    assert route.render_durations_at == {"4k": (10,), "720p": (9, 10)}
    (_, fallback) = (
        parse_catalogue(
            with_more(f"fallbacks = [{FALLBACK.replace('{', '{ render_durations_at.4k = [10],')}]"), "models.toml"
        )
        .all()[0]
        .routes
    )
    assert fallback.render_durations_at == {"4k": (10,)}


FALLBACKS_FORM = "must be a list of tables, not"
COUNT_FORM = "must be a whole number from 1 to 1000000, not"
SENTENCE_FORM = "must be a sentence of at most 200 characters"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("fallbacks = 3", f"fallbacks: {FALLBACKS_FORM} 3"),
        ('fallbacks = ["vertex"]', f"fallbacks: {FALLBACKS_FORM} ['vertex']"),
        (
            'fallbacks = { provider = "vertex" }',
            f"fallbacks: {FALLBACKS_FORM} {{'provider': 'vertex'}}",
        ),
        ("fallbacks = [{}]", "fallbacks: provider: is missing"),
        ('fallbacks = [{ provider = "vertex" }]', "fallbacks: render_durations: is missing"),
        (
            f"fallbacks = [{FALLBACK.replace('veo', 'v?')}]",
            "fallbacks: text_endpoint: must be 1 to 200 characters that a provider's address may hold, not 'v?'",
        ),
        (
            f"fallbacks = [{FALLBACK.replace('vertex', 'Vertex')}]",
            "fallbacks: provider: must be the name of a provider such as 'fal', not 'Vertex'",
        ),
        (
            f"fallbacks = [{FALLBACK.replace('[4, 10]', '[4, 9]')}]",
            "fallbacks: render_durations: the longest, 9, is shorter than the longest of durations, 10",
        ),
        (
            'fallbacks = [{ provider = "vertex", render_durations = [10] }]',
            "fallbacks: text_endpoint: is missing, and so is image_endpoint",
        ),
        (
            f"fallbacks = [{FALLBACK.replace('{', '{ cost_per_second = 1,')}]",
            "fallbacks: cost_per_second: is no field of a fallback",
        ),
        (
            f"fallbacks = [{FALLBACK.replace('{', '{ fallbacks = [],')}]",
            "fallbacks: fallbacks: is no field of a fallback",
        ),
        (f"fallbacks = [{FALLBACK.replace('vertex', 'fal')}]", "fallbacks: names a provider twice"),
        (f"fallbacks = [{FALLBACK}, {FALLBACK}]", "fallbacks: names a provider twice"),
        (
            f"fallbacks = [{FALLBACK.replace('{', '{ withdrawn = 3,')}]",
            f"fallbacks: withdrawn: {SENTENCE_FORM}",
        ),
        (
            f"fallbacks = [{FALLBACK.replace('{', '{ refused_aspect_ratios = [],')}]",
            "fallbacks: refused_aspect_ratios: must be a list, each W:H such as '16:9', not []",
        ),
        (
            "render_durations_at = [10]",
            "render_durations_at: must be of the form { 1080p = [8] }, not [10]",
        ),
        (
            "render_durations_at = { wide = [10] }",
            "render_durations_at: must be of the form { 1080p = [8] }, not {'wide': [10]}",
        ),
        (
            "render_durations_at = { 4k = [8] }",
            "render_durations_at: the longest, 8, is shorter than the longest of durations, 10",
        ),
        (
            "render_durations_at = { 4k = [10, 8] }",
            "render_durations_at: must be ascending, without repeats",
        ),
        (
            f"fallbacks = [{FALLBACK.replace('{', '{ render_durations_at = 3,')}]",
            "fallbacks: render_durations_at: must be of the form { 1080p = [8] }, not 3",
        ),
        ("prompt_characters_max = 0", f"prompt_characters_max: {COUNT_FORM} 0"),
        ("prompt_characters_max = 1000001", f"prompt_characters_max: {COUNT_FORM} 1000001"),
        ("prompt_characters_max = true", f"prompt_characters_max: {COUNT_FORM} True"),
        ('prompt_characters_max = "800"', f"prompt_characters_max: {COUNT_FORM} '800'"),
        ("withdrawn = true", f"withdrawn: {SENTENCE_FORM}"),
        ('withdrawn = ""', f"withdrawn: {SENTENCE_FORM}"),
        ('withdrawn = "It was\\nretired."', f"withdrawn: {SENTENCE_FORM}"),
        (f'withdrawn = "{"x" * 201}"', f"withdrawn: {SENTENCE_FORM}"),
        (
            'refused_aspect_ratios = "21:9"',
            "refused_aspect_ratios: must be a list, each W:H such as '16:9', not '21:9'",
        ),
        (
            'refused_aspect_ratios = ["wide"]',
            "refused_aspect_ratios: must be a list, each W:H such as '16:9', not 'wide'",
        ),
        ('refused_aspect_ratios = ["21:9", "21:9"]', "refused_aspect_ratios: names something twice"),
    ],
)
def test_a_broken_route_is_named_with_its_line_and_reason(line: str, reason: str) -> None:
    assert broken(with_more(line)) == f"models.toml:17: [[model]] 'a/model': {reason}"


@pytest.mark.parametrize(
    ("image_input", "removed", "endpoint"),
    [("none", "image_endpoint", "image_endpoint"), ("required", "text_endpoint", "text_endpoint")],
)
def test_a_fallbacks_endpoint_that_does_not_fit_the_image_input_is_refused(
    image_input: str, removed: str, endpoint: str
) -> None:
    row = with_line(removed, "").replace('"optional"', f'"{image_input}"')
    text = f'{row}\nfallbacks = [{{ provider = "vertex", {endpoint} = "veo", render_durations = [10] }}]\n'
    assert broken(text) == (
        f"models.toml:17: [[model]] 'a/model': fallbacks: {endpoint}: must be absent, "
        f"because image_input is '{image_input}'"
    )


def test_the_line_of_a_fallback_that_is_a_table_of_its_own_is_found() -> None:
    table = '\n[[model.fallbacks]]\nprovider = "vertex"\ntext_endpoint = "veo"\nrender_durations = [1]\n'
    assert broken(ROW + table).startswith("models.toml:18: [[model]] 'a/model': fallbacks: render_durations: the")


def test_a_repeated_id_names_both_rows() -> None:
    other = ROW.replace("a/model", "b/model")
    assert broken(other + ROW + ROW) == "models.toml:34: [[model]] 'a/model': id: is that of the row on line 17 too"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[[model]]\nid = \n", 2),
        ('[[model]]\nid = "a\n', 2),
        (ROW + 'id = "again"\n', 17),
        ('[[model]]\nid = """a\nb\n', 4),
    ],
)
def test_what_is_no_toml_names_the_line_of_the_parser(text: str, line: int) -> None:
    assert broken(text).startswith(f"models.toml:{line}: not TOML: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROW + "\n[[models]]\nid = 3\n", "models.toml:18: models: only [[model]] rows belong here"),
        (f"version = 1\n{ROW}", "models.toml:1: version: only [[model]] rows belong here"),
        ("\n\n[extra]\na = 1\n", "models.toml:3: extra: only [[model]] rows belong here"),
        ("\n[model]\nid = 3\n", "models.toml:2: model: must be [[model]] rows"),
        ("\nmodel = [1]\n", "models.toml:2: model: must be [[model]] rows"),
        ('\n"mod\\u0065l" = 1\n', "models.toml:1: model: must be [[model]] rows"),
        ('\n"\\u0065xtra" = 1\n', "models.toml:1: extra: only [[model]] rows belong here"),
    ],
)
def test_anything_but_rows_is_refused(text: str, message: str) -> None:
    assert broken(text) == message


def test_the_line_is_found_where_a_string_looks_like_a_row() -> None:
    first = with_line("name", 'name = """\n[[model]]\naudio = 3"""').replace("A Model", "")
    decoy = first.replace('"""\n[[model]]\naudio = 3"""', '"""\\\n[[model]]\\\naudio = 3"""')
    second = ROW.replace("a/model", "b/model").replace("audio = true", "audio = 3")
    assert broken(decoy + "\n" + second) == "models.toml:31: [[model]] 'b/model': audio: must be true or false, not 3"
    assert broken(decoy.replace("audio = true", "audio = 3")).startswith("models.toml:15: [[model]] 'a/model': audio")


def test_the_line_is_found_whatever_the_line_ends_and_spaces() -> None:
    text = ROW.replace("audio = true", '\t"audio"   = 3').replace("[[model]]", "  [[ model ]]  # A row.")
    assert broken(text.replace("\n", "\r\n")).startswith("models.toml:13: [[model]] 'a/model': audio: must")


def test_the_line_of_a_table_is_found() -> None:
    text = with_line("durations", "") + "\n[model.durations]\ndefault = 0\nmin = 1\nmax = 2\n"
    assert broken(text).startswith("models.toml:17: [[model]] 'a/model': durations: must be whole seconds")
    dotted = with_line("durations", "durations.default = 0\ndurations.allowed = [1]")
    assert broken(dotted).startswith("models.toml:9: [[model]] 'a/model': durations: must be whole seconds")


def test_rows_that_are_written_inline_are_still_checked() -> None:
    assert broken('model = [{ id = "x" }]\n') == "models.toml:1: [[model]] 'x': name: is missing"


def test_a_broken_catalogue_carries_its_place() -> None:
    with pytest.raises(ValueError, match="audio") as refusal:
        parse_catalogue(with_line("audio", "audio = 3"), "models.toml")
    assert isinstance(refusal.value, BrokenCatalogue)
    assert (refusal.value.source, refusal.value.line) == ("models.toml", 13)


def test_an_operators_rows_replace_in_place_and_follow() -> None:
    one, two, three = (a_model(model_id=ModelId(each)) for each in ("one", "two", "three"))
    other = a_model(model_id=ModelId("one"), name="Other")
    merged = extend(Catalogue([one, two]), Catalogue([three, other]))
    assert merged.all() == (other, two, three)
    assert extend(Catalogue([one, two]), Catalogue([])).all() == (one, two)


def test_the_shipped_file_offers_exactly_the_documented_models() -> None:
    offered = {surface: [model.model_id for model in CATALOGUE.offered(surface)] for surface in Surface}
    assert offered[Surface.GEEKHUB] == [
        "google/veo-3.1",
        "google/veo-3",
        "fal/veo-3.1",
        "fal/runway-gen-4",
        "fal/luma-ray-2",
        "fal/kling-2",
        "fal/hailuo-02",
    ]
    assert offered[Surface.KYMA] == [
        "kling-2.5-pro",
        "kling-3-pro",
        "kling-3-pro-audio",
        "seedance-2-pro",
        "seedance-2-fast",
        "hailuo-02-512p",
        "hailuo-02-768p",
        "hailuo-02-1080p",
        "veo-3-fast",
        "veo-3",
    ]
    assert offered[Surface.CONCURRED] == [
        "kling-3-pro",
        "veo-3.1",
        "veo-3.1-fast",
        "kling-3-pro-i2v",
        "wan-2.6",
        "wan-2.6-i2v",
    ]
    assert set(offered[Surface.NATIVE]) == {"local/storyboard"}.union(*offered.values())
    assert len(offered[Surface.NATIVE]) == 23


def test_the_shipped_rows_hold_the_documented_lengths_sound_and_ratios() -> None:
    rows = {
        model.model_id: (
            model.duration_default_s,
            model.durations_s[-1],
            model.has_audio,
            " ".join(model.aspect_ratios),
        )
        for model in CATALOGUE.offered(Surface.GEEKHUB)
    }
    # docs/sources.md D 1.8.
    assert rows == {
        "google/veo-3.1": (8, 8, True, "16:9 9:16"),
        "google/veo-3": (8, 8, False, "16:9 9:16"),
        "fal/veo-3.1": (8, 8, True, "16:9 9:16"),
        "fal/runway-gen-4": (5, 10, False, "16:9 9:16 4:3"),
        "fal/luma-ray-2": (5, 9, False, "16:9 9:16 1:1"),
        "fal/kling-2": (5, 10, False, "16:9 9:16 1:1"),
        "fal/hailuo-02": (6, 10, False, "16:9 9:16"),
    }
    for model in CATALOGUE.offered(Surface.KYMA):
        if model.model_id in ("veo-3", "veo-3-fast"):
            assert (model.durations_s, model.duration_default_s) == ((4, 6, 8), 8)
        elif model.model_id == "hailuo-02-1080p":
            assert (model.durations_s, model.duration_default_s) == ((1, 2, 3, 4, 5, 6), 5)
        else:
            assert (model.durations_s, model.duration_default_s) == ((1, 2, 3, 4, 5, 6, 7, 8, 9, 10), 5)


def test_the_shipped_rows_go_from_vertex_and_minimax_to_fal_and_from_fal_nowhere() -> None:
    routes = {model.model_id: [route.provider for route in model.routes] for model in CATALOGUE.all()}
    assert {model_id: providers for model_id, providers in routes.items() if len(providers) > 1} == {
        "hailuo-02-512p": ["minimax", "fal"],
        "hailuo-02-768p": ["minimax", "fal"],
        "hailuo-02-1080p": ["minimax", "fal"],
        "veo-3-fast": ["vertex", "fal"],
        "veo-3": ["vertex", "fal"],
        "veo-3.1": ["vertex", "fal"],
        "veo-3.1-fast": ["vertex", "fal"],
    }


def test_the_shipped_rows_say_what_is_withdrawn_and_which_ratios_are_refused() -> None:
    routes = [(model.model_id, route) for model in CATALOGUE.all() for route in model.routes]
    assert {model_id: route.withdrawn for model_id, route in routes if route.withdrawn} == {
        "fal/runway-gen-4": "fal has no endpoint for Runway Gen-4."
    }
    assert {model_id: route.refused_aspect_ratios for model_id, route in routes if route.refused_aspect_ratios} == {
        "fal/luma-ray-2": ("1:1",),
        "fal/hailuo-02": ("9:16",),
    }
    for model in CATALOGUE.all():
        for route in model.routes:
            assert set(route.refused_aspect_ratios) < set(model.aspect_ratios)
            assert set(route.render_durations_at) <= set(model.resolutions)


def test_every_figure_of_the_shipped_file_has_a_source_where_it_stands() -> None:
    # A figure is a line of a row that is not the row's own name; its source is beside it or in the comment above.
    named = ("[[model]]", "id = ", "name = ", "provider = ", "surfaces = ")
    lines = CATALOGUE_TEXT.splitlines()
    first = lines.index('id = "google/veo-3.1"')
    bare = [
        line
        for above, line in zip(lines[first - 1 :], lines[first:], strict=False)
        if line.strip("]") and not line.startswith(("#", *named)) and "#" not in line and not _is_explained(above)
    ]
    assert bare == []


def _is_explained(above: str) -> bool:
    return above.startswith(("#", "fallbacks = [ #")) or "_endpoint = " in above
