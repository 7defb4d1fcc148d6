"""How far a long search has come, as a file, so that it can go on where it was interrupted."""

import base64
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docket_sim.search.explorer import Exploration
from docket_sim.search.trial import Coverage

_VERSION = 1
_FINGERPRINT = 8


@dataclass(slots=True)
class Standing:
    """How far a search has come.

    Attributes:
        of: what is searched: scenario, seed, faults, workers. Another search has another row of
            runs.
        single: how many runs with a single deviation the row has at most.
        done: how many runs of the row, after the default one, were made.
        seen: what was seen so far.
    """

    of: dict[str, Any]
    single: int
    done: int = 0
    seen: Exploration = field(default_factory=Exploration)

    def save(self, path: Path) -> None:
        """Write it down, so that there is a whole file at any time."""
        seen = self.seen
        content: dict[str, Any] = {
            "version": _VERSION,
            "of": self.of,
            "single": self.single,
            "done": self.done,
            "runs": seen.runs,
            "seconds": round(seen.seconds, 3),
            "faults": dict(seen.faults),
            "coverage": {task: dict(counts) for task, counts in seen.coverage.counts.items()},
            "timelines": base64.b64encode(b"".join(sorted(seen.timelines))).decode(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.new")
        beside.write_text(json.dumps(content, indent=1) + "\n")
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Standing":
        """What a file tells.

        Raises:
            ValueError: it holds something else.
        """
        try:
            content = json.loads(path.read_text())
            version = content["version"]
            standing = cls(dict(content["of"]), int(content["single"]), int(content["done"]))
            standing.seen = _seen(content)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} does not hold the state of a search: {error!r}") from None
        if version != _VERSION:
            raise ValueError(f"{path} was written by another version: {version}, not {_VERSION}")
        return standing


def _seen(content: dict[str, Any]) -> Exploration:
    coverage = Coverage()
    for task, counts in content["coverage"].items():
        coverage.counts[task] = Counter(counts)
    known = base64.b64decode(content["timelines"])
    return Exploration(
        runs=int(content["runs"]),
        faults=Counter(content["faults"]),
        coverage=coverage,
        seconds=float(content["seconds"]),
        timelines={
            known[place : place + _FINGERPRINT] for place in range(0, len(known), _FINGERPRINT)
        },
    )
