"""Whether anything else used the machine meanwhile: figures taken then are worth little."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of CPU that were used so far.

    Attributes:
        machine: by everything on the machine.
        ours: by this process, the children that have ended, and the server.
        stolen: by other machines on the same hardware.
    """

    machine: float
    ours: float
    stolen: float

    @classmethod
    def now(cls, server: int) -> Self | None:
        """The present usage, or `None` where the machine does not tell."""
        if not _STAT.exists():
            return None
        tick = os.sysconf("SC_CLK_TCK")
        user, nice, system, _, _, irq, soft, stolen = [
            int(part) / tick for part in _STAT.read_text().splitlines()[0].split()[1:9]
        ]
        fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
        mine = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        ours = sum(used.ru_utime + used.ru_stime for used in mine)
        ours += (int(fields[11]) + int(fields[12])) / tick
        return cls(user + nice + system + irq + soft, ours, stolen)

    def others_since(self, before: "Usage") -> str:
        """What others have used since then, in words."""
        others = (self.machine - before.machine) - (self.ours - before.ours)
        stolen = self.stolen - before.stolen
        return f"others used {max(0.0, others):.1f} s of CPU, {stolen:.1f} s were stolen"
