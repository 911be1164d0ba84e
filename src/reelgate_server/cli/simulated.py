"""`reelgate up --simulate`: simulated providers in place of the real ones.

Their package is no part of the server: it is run as a program, and read from its answer is where its providers are. The
settings of real providers are taken out of the environment first, so that no key of the operator's is used and nothing
is paid for.
"""

import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from reelgate_server.cli.refusals import Refusal
from reelgate_server.config import CONFIG_FILE_VARIABLE
from reelgate_server.domain.ids import ProviderName

GROUPS: Final = ("fal", "minimax", "vertex", "openai")
"""The groups of settings that configure providers."""
OPENAI_NAME: Final = ProviderName("simulated")
"""What the simulated server of the OpenAI shape is called; it is nobody in particular."""
KEY_NAME: Final = "SIMULATED"
"""What each simulated credential is called."""
PACKAGES: Final[Mapping[str, str]] = {
    "python_multipart": "python-multipart",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
}
"""What the simulators import beyond what the server does, and what it is installed as: the extra `simulators`."""
MODEL: Final = "simulated/wan-2.2"
TYPICAL_S: Final = 5
"""What a simulated render takes unless it is told otherwise. With the minutes of a real one the first look at it would
come minutes after its end, except at fal, which tells of it."""
_ROW: Final = f"""
# Of `reelgate up --simulate`, for the simulated server of the OpenAI shape.
[[model]]
id = "{MODEL}"
name = "Wan 2.2 (simulated)"
provider = "{OPENAI_NAME}"
surfaces = []
text_endpoint = "Wan-AI/Wan2.2-T2V-A14B-Diffusers"
cost_per_second = "0.01"
durations = {{ default = 4, min = 1, max = 10 }}
render_durations = {{ min = 1, max = 10 }}
aspect_ratios = ["16:9", "9:16"]
resolutions = ["720p", "480p"]
audio = false
image_input = "none"
deadline_s = 600
typical_render_s = {TYPICAL_S}
"""

Addresses = Mapping[str, Mapping[str, str]]
"""By provider: `base_url`, and the credential it takes."""


def require_installed(constraints: Path) -> None:
    """Refuse to go on without what the simulators import; a plain install of the server leaves it out.

    Args:
        constraints: The file with the versions to install.
    """
    missing = [name for module, name in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise Refusal(
            f"--simulate needs {', '.join(missing)}: `make run-simulated` installs that, "
            f"or `{sys.executable} -m pip install --constraint {constraints} {' '.join(missing)}`"
        )


def require_no_other_providers(environment: Mapping[str, str]) -> None:
    """Refuse a settings file that configures providers: its keys must not be used, and would be merged with ours."""
    path = environment.get(CONFIG_FILE_VARIABLE)
    if not path or not Path(path).is_file():
        return
    tables = tomllib.loads(Path(path).read_text("utf-8"))
    if found := [group for group in GROUPS if group in {name.lower() for name in tables}]:
        raise Refusal(
            f"--simulate uses no real provider, but {path} configures {', '.join(found)}; "
            f"take that out, or unset {CONFIG_FILE_VARIABLE}"
        )


def command(ready_file: Path, options: Sequence[str]) -> list[str]:
    """What to start. It ends with this process, and writes to `ready_file` when its providers listen."""
    program = [sys.executable, "-m", "reelgate_simulators"]
    return [*program, *options, "--ready-file", str(ready_file), "--parent", str(os.getpid())]


def read_addresses(ready_file: Path) -> Addresses | None:
    """Where the providers are; None if they do not listen yet."""
    try:
        text = ready_file.read_text("utf-8")
    except FileNotFoundError:
        return None
    addresses: Addresses = json.loads(text)
    return addresses


def without_providers(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without any setting that `variables` makes; settings do not mind the case of letters."""
    groups = {"REELGATE_PUBLIC_URL", *(f"REELGATE_{group.upper()}" for group in GROUPS)}
    return {name: value for name, value in environment.items() if name.upper().partition("__")[0] not in groups}


def variables(addresses: Addresses, own_url: str) -> dict[str, str]:
    """The settings that route every provider to its simulator.

    Args:
        addresses: Where they are.
        own_url: Where they reach this instance, for webhooks.
    """
    fal, minimax, vertex, openai = (addresses[group] for group in GROUPS)
    openai_prefix = f"REELGATE_OPENAI__{OPENAI_NAME.upper()}__"
    return {
        "REELGATE_PUBLIC_URL": own_url,
        "REELGATE_FAL__QUEUE_URL": fal["base_url"],
        "REELGATE_FAL__JWKS_URL": f"{fal['base_url']}/.well-known/jwks.json",
        f"REELGATE_FAL__KEYS__{KEY_NAME}": fal["key"],
        "REELGATE_MINIMAX__BASE_URL": minimax["base_url"],
        f"REELGATE_MINIMAX__KEYS__{KEY_NAME}": minimax["key"],
        "REELGATE_VERTEX__BASE_URL": vertex["base_url"],
        "REELGATE_VERTEX__PROJECT": vertex["project"],
        "REELGATE_VERTEX__LOCATION": vertex["location"],
        "REELGATE_VERTEX__ACCESS_TOKEN": vertex["access_token"],
        f"{openai_prefix}BASE_URL": f"{openai['base_url']}/v1",
        f"{openai_prefix}DIALECT": openai["dialect"],
        f"{openai_prefix}KEYS__{KEY_NAME}": openai["key"],
    }


def catalogue_text() -> str:
    """The shipped models with the times of simulated renders, and one for the server of the OpenAI shape."""
    shipped = files("reelgate_server").joinpath("catalogue.toml").read_text("utf-8")
    return re.sub(r"(?m)^typical_render_s = \d+", f"typical_render_s = {TYPICAL_S}", shipped) + _ROW


def announcement(catalogue_path: Path | None) -> Iterator[str]:
    """Say that nothing here is real, and how the server of the OpenAI shape is reached.

    Args:
        catalogue_path: Of the operator's own catalogue; None if `catalogue_text` is used.
    """
    yield (
        "SIMULATED: fal, MiniMax, Vertex AI and a server of the OpenAI shape are simulators on this machine; "
        "no provider is called, and no key of yours is used."
    )
    if catalogue_path is None:
        yield f"The server of the OpenAI shape renders {MODEL}."
    else:
        yield (
            f'Your catalogue {catalogue_path} is used as it is: a model with provider = "{OPENAI_NAME}" goes to the '
            f"server of the OpenAI shape, and one with typical_render_s = {TYPICAL_S} is looked at in time."
        )
