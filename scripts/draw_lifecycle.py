#!/usr/bin/env python3
"""Draw the lifecycle table as a diagram into a Markdown file, between the two marker lines.

Usage: draw_lifecycle.py README.md
"""

import sys
from pathlib import Path

from reelgate_server.domain.lifecycle import TERMINAL, TRANSITIONS, JobState

BEGIN = "<!-- lifecycle: drawn by `make gen` from src/reelgate_server/domain/lifecycle.py -->"
END = "<!-- /lifecycle -->"


def draw() -> str:
    """The table as a Mermaid state diagram: one arrow per pair of states, labelled with its events."""
    arrows: dict[tuple[JobState | None, JobState], list[str]] = {}
    for (before, event), after in TRANSITIONS.items():
        arrows.setdefault((before, after), []).append(event.__name__)
    lines = ["```mermaid", "stateDiagram-v2"]
    for (before, after), events in arrows.items():
        start = before.name if before is not None else "[*]"
        lines.append(f"    {start} --> {after.name}: {', '.join(events)}")
    lines += [f"    {state.name} --> [*]" for state in JobState if state in TERMINAL]
    return "\n".join([*lines, "```"])


def insert(text: str, diagram: str) -> str:
    """Put a diagram between the markers of a text.

    Raises:
        ValueError: The markers are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        message = f"the file needs the lines {BEGIN!r} and {END!r}"
        raise ValueError(message)
    return f"{before}{BEGIN}\n\n{diagram}\n\n{END}{after}"


def main() -> None:
    """Rewrite the file named on the command line."""
    path = Path(sys.argv[1])
    path.write_text(insert(path.read_text("utf-8"), draw()), "utf-8")


if __name__ == "__main__":
    main()
