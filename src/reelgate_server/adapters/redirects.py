"""Which answers send the asker elsewhere. No client of ours follows one by itself."""

from typing import Final

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
"""Statuses whose `Location` is where to go on (RFC 9110, 15.4). 300 offers a choice, and 304 is about a cache."""
