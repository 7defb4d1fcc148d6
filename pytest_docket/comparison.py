"""What a failing comparison of two tallies says: the counts that differ."""

import sys
from dataclasses import fields
from typing import Any


def explain(left: object, right: object) -> list[str] | None:
    """The lines of an explanation, or `None` for anything but two tallies."""
    engine: Any = sys.modules.get("docket_sim")  # without it there are no tallies
    if engine is None or not (type(left) is type(right) is engine.Tally):
        return None
    tally: Any = engine.Tally
    names = [field.name for field in fields(tally)]
    counts = {name: (getattr(left, name), getattr(right, name)) for name in names}
    return [
        f"{left!r} == {right!r}",
        *(
            f"  {name}: {found} on the left, {other} on the right"
            for name, (found, other) in counts.items()
            if found != other
        ),
    ]
