"""Reading the fields of an OpenAI-shaped request, from JSON or from a form."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from reelgate_simulators.recording import RecordedRequest, Upload

PROMPT_CHARACTERS_MAX = 32_000


class Refusal(Exception):
    """A request is answered with an error; each dialect writes it in its own way."""

    def __init__(self, status: int, message: str, *, parameter: str | None = None, code: str | None = None) -> None:
        """Say why.

        Args:
            status: Of HTTP.
            message: For people.
            parameter: Name of the field that is wrong.
            code: For programs.
        """
        super().__init__(message)
        self.status, self.message, self.parameter, self.code = status, message, parameter, code


def read_body(request: RecordedRequest, *, has_json: bool = True) -> Mapping[str, Any]:
    """Take the fields of a JSON body or of a form.

    Raises:
        Refusal: 400, it is neither, or JSON where there may be none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = kind in {"multipart/form-data", "application/x-www-form-urlencoded"}
    if not is_form and not (has_json and kind == "application/json"):
        raise Refusal(400, f"Unsupported content type: '{kind}'.", code="unsupported_content_type")
    if not isinstance(request.body, dict):
        raise Refusal(400, "We could not parse the body of your request.")
    return request.members


def text_of(fields: Mapping[str, Any], name: str, default: str) -> str:
    """Read a string.

    Raises:
        Refusal: 400, another type or empty.
    """
    value = fields.get(name, default)
    if not isinstance(value, str) or not value:
        raise Refusal(400, f"Invalid type for '{name}': expected a string.", parameter=name, code="invalid_type")
    return value


def choice_of(fields: Mapping[str, Any], name: str, default: str, choices: frozenset[str]) -> str:
    """Read one of several strings.

    Raises:
        Refusal: 400, anything else.
    """
    value = text_of(fields, name, default)
    if value not in choices:
        wanted = ", ".join(f"'{choice}'" for choice in sorted(choices))
        message = f"Invalid value: '{value}'. Supported values are: {wanted}."
        raise Refusal(400, message, parameter=name, code="invalid_value")
    return value


def match_of(fields: Mapping[str, Any], name: str, default: str, pattern: re.Pattern[str]) -> str:
    """Read a string of a certain form.

    Raises:
        Refusal: 400, anything else.
    """
    value = text_of(fields, name, default)
    if not pattern.fullmatch(value):
        raise Refusal(400, f"Invalid value: '{value}'.", parameter=name, code="invalid_value")
    return value


def prompt_of(fields: Mapping[str, Any]) -> str:
    """Read the prompt.

    Raises:
        Refusal: 400, absent, empty or too long.
    """
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= PROMPT_CHARACTERS_MAX:
        message = f"'prompt' must be a string of 1 to {PROMPT_CHARACTERS_MAX} characters."
        raise Refusal(400, message, parameter="prompt", code="invalid_value")
    return prompt


def check_reference(fields: Mapping[str, Any]) -> None:
    """Check `input_reference`: a file in a form, an object with exactly one source in JSON.

    Raises:
        Refusal: 400, anything else.
    """
    reference = fields.get("input_reference")
    if reference is None or isinstance(reference, Upload):
        return
    sources = set(_reference_sources(reference))
    if len(sources) != 1:
        message = "'input_reference' must be a file or have exactly one of 'image_url' and 'file_id'."
        raise Refusal(400, message, parameter="input_reference", code="invalid_value")


def _reference_sources(reference: Any) -> Iterator[str]:
    if isinstance(reference, dict) and reference.keys() <= {"image_url", "file_id"}:
        yield from (name for name, value in reference.items() if isinstance(value, str) and value)


def json_object(text: object) -> dict[str, Any] | None:
    """Parse a form field that carries an object; None if it does not."""
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
