"""The statements of `queries.sql`, by name."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import aiosql


def _load() -> Mapping[str, str]:
    # The parameters are in the statements; a list of them beside each name would say everything twice.
    queries = aiosql.from_path(Path(__file__).with_name("queries.sql"), "sqlite3", mandatory_parameters=False)
    # For each SELECT aiosql also makes a `_cursor` twin, which is not a statement of its own.
    names = [name for name in queries.available_queries if not name.endswith("_cursor")]
    return MappingProxyType({name: getattr(queries, name).sql for name in names})


SQL: Final = _load()
"""Run through the drivers themselves: aiosql's asynchronous calls would hop to the thread three times a query."""
