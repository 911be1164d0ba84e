"""What must not be kept: credentials, signatures, addresses that carry a right, and in a log what customers said."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from reelgate_server.domain.events import Failed, SubmitRefused, SubmitUnanswered
from reelgate_server.domain.faults import Fault
from tests.simulation.vendors.bad_days import SIGNATURE
from tests.simulation.vendors.case import Case
from tests.simulation.vendors.studio import SECRETS, Studio
from tests.simulation.vendors.wishes import IMAGES
from tests.support.world import Customer

DOWNLOADS: Final = "output_aigc.mp4"
"""How MiniMax's download addresses end, which are open to whoever has them."""
PRIVATE: Final = "a red kite"
"""In every prompt."""


def check_safety(
    path: Path, logs: Sequence[Any], cases: Sequence[Case], studio: Studio, customers: Sequence[Customer]
) -> None:
    """Look through everything that outlives a process."""
    signatures = {each.headers["X-Fal-Webhook-Signature"] for each in studio.webhooks.attempts}
    forbidden = {*SECRETS, SIGNATURE, DOWNLOADS, *signatures, *(customer.secret for customer in customers)}
    written = "\n".join(map(str, logs))
    _check_absent(forbidden, _rows(path), "the store")
    _check_absent({*forbidden, PRIVATE, *IMAGES}, [written], "the log")
    details = [fault.detail for case in cases for fault in _faults(case)]
    assert all(len(detail) <= 500 for detail in details)
    _check_absent({PRIVATE, *IMAGES}, details, "a fault")


def _check_absent(forbidden: Iterable[str], texts: Iterable[str], where: str) -> None:
    whole = "\n".join(texts)
    found = [each for each in forbidden if each in whole]
    assert found == [], f"in {where}: {[whole[max(0, whole.index(each) - 200) :][:400] for each in found]}"


def _rows(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        return [str(row) for (table,) in tables for row in connection.execute(f"select * from {table}")]  # noqa: S608


def _faults(case: Case) -> list[Fault]:
    faults = [each.fault for each in case.log if isinstance(each, SubmitRefused | SubmitUnanswered)]
    failures = [each.failure.fault for each in case.log if isinstance(each, Failed)]
    return [*faults, *(each for each in failures if each is not None)]
