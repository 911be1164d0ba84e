"""How the command line says no: one line on standard error and exit code 1, and no traceback for what can be mended."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import grpc
import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError
from rich.console import Console

from reelgate_server.domain.errors import DomainError
from reelgate_server.envoy import EnvoyNotFound

P = ParamSpec("P")
R = TypeVar("R")

_console = Console(stderr=True)


class Refusal(Exception):
    """A command cannot do what was asked; the message says why and what to do."""


def told_plainly(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what a user can mend into one line and exit code 1."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except grpc.RpcError as error:
            refuse(f"{error.code().name}: {error.details()}")
        except ValidationError as error:
            refuse("; ".join(map(_sentence, error.errors(include_url=False, include_input=False))))
        except (Refusal, EnvoyNotFound, DomainError, SettingsError, ValueError, OSError, RuntimeError) as error:
            refuse(str(error))
        raise typer.Exit(1)

    return wrapped


def _sentence(error: ErrorDetails) -> str:
    """Name the setting that is wrong, and say how."""
    field = ".".join(map(str, error["loc"]))
    return f"{field}: {error['msg']}" if field else error["msg"].removeprefix("Value error, ")


def refuse(message: str) -> None:
    """Print one line of refusal."""
    _console.print(f"reelgate: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
