"""What a prompt makes of its render, so that a demo needs no test code.

| in the prompt | what happens |
|---|---|
| `[reject]` | refused as a violation of the content policy, where the provider would first say so |
| `[filter]` | rendered, then withheld by the provider's safety filter |
| `[fail]` | accepted, then fails while rendering |
| `[slow]` | takes `SLOW_FACTOR` times as long |
| `[stuck]` | never ends by itself |

Letter case is ignored; several marks may stand in one prompt, and the first of the table that ends a render wins.
"""

import math
from dataclasses import dataclass
from enum import Enum

SLOW_FACTOR = 10.0
"""How much longer `[slow]` takes; long enough to be noticed, short enough for a demo."""


class Fate(Enum):
    """How a render is to end."""

    SUCCESS = "success"
    REJECTED = "reject"
    FILTERED = "filter"
    FAILED = "fail"


@dataclass(frozen=True)
class Script:
    """What a prompt asks for."""

    fate: Fate
    time_factor: float
    """Times the usual duration; infinite if the render never ends by itself."""


def read_script(prompt: object) -> Script:
    """Find the marks of a prompt; anything but text has none."""
    text = prompt.lower() if isinstance(prompt, str) else ""
    fates = (fate for fate in (Fate.REJECTED, Fate.FILTERED, Fate.FAILED) if f"[{fate.value}]" in text)
    factor = math.inf if "[stuck]" in text else SLOW_FACTOR if "[slow]" in text else 1.0
    return Script(fate=next(fates, Fate.SUCCESS), time_factor=factor)
