"""Runs documented curl commands word for word but for host and key."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

CALL_LIMIT_S = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: Any
    """The JSON."""


def run_documented(command: str, replacements: Mapping[str, str]) -> Answer:
    """Run a command with curl where there is one, otherwise with httpx.

    Args:
        command: As a documentation prints it, line breaks included.
        replacements: The documented host and key, and what stands for them here.
    """
    for documented, here in replacements.items():
        assert documented in command, f"{documented!r} is not in the command"
        command = command.replace(documented, here)
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "curl"
    return _run_curl(words) if shutil.which("curl") else _run_httpx(words[1:])


def _run_curl(words: list[str]) -> Answer:
    finished = subprocess.run(
        [
            *words,
            "--silent",
            "--show-error",
            "--include",
            "--http1.1",
            "--noproxy",
            "*",
            "--max-time",
            str(CALL_LIMIT_S),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    head, _, body = finished.stdout.partition("\n\n")
    status_line, *lines = head.splitlines()
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Answer(int(status_line.split()[1]), headers, json.loads(body))


def _run_httpx(words: list[str]) -> Answer:
    method, url, body, headers = "GET", "", None, {}
    remaining = iter(words)
    for word in remaining:
        match word:
            case "-X" | "--request":
                method = next(remaining)
            case "--url":
                url = next(remaining)
            case "-H" | "--header":
                name, _, value = next(remaining).partition(":")
                headers[name.strip()] = value.strip()
            case "-d" | "--data":
                method, body = "POST", next(remaining)
            case _:
                url = word
    with httpx.Client(trust_env=False, timeout=CALL_LIMIT_S) as http:
        response = http.request(method, url, headers=headers, content=body)
    return Answer(response.status_code, dict(response.headers), response.json())
