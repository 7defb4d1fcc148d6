"""The scripts that the verbs of a Redis store are made of: one file of Lua each.

The first line of a file is its signature. It is compared with the one that is written here, and the
names in it become the script's local variables, so that the two sides cannot drift apart.
"""

import hashlib
from collections.abc import Iterable
from importlib.resources import files

from docket_sim.store.redis.prelude import with_prelude

_LUA = files("docket_sim.store.redis") / "lua"


class Script:
    """One script.

    Attributes:
        name: the name of its file.
        source: what a server is sent, once.
        sha: what it is called by from then on.
    """

    def __init__(self, name: str, *parameters: str) -> None:
        """
        Args:
            name: the name of its file in `lua/`.
            parameters: the names of its arguments; the last may begin with `*`, for all the rest.

        Raises:
            ValueError: the file's first line says otherwise.
        """
        body = _read(name)
        expected = f"-- {name}({', '.join(parameters)})"
        found = body.partition("\n")[0]
        if found != expected:
            raise ValueError(f"lua/{name}.lua: expected its first line to be {expected}: {found}")
        self.name = name
        self.source = _locals(parameters) + with_prelude(body, _read("common"))
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


def _read(name: str) -> str:
    return (_LUA / f"{name}.lua").read_text(encoding="utf-8")


def _locals(parameters: Iterable[str]) -> str:
    names = [name for name in parameters if not name.startswith("*")]
    values = [f"ARGV[{place}]" for place in range(1, len(names) + 1)]
    return f"local {', '.join(names)} = {', '.join(values)}\nlocal REST = {len(names) + 1}\n"


_ALWAYS = ("now", "ttl", "server_ttl")

SUBMIT = Script("submit", *_ALWAYS, "sent", "*calls")
CLAIM = Script("claim", *_ALWAYS, "worker", "limit", "lease")
RENEW = Script("renew", *_ALWAYS, "lease", "*claims")
SETTLE = Script("settle", *_ALWAYS, "finishes", "*settlements")
CANCEL = Script("cancel", *_ALWAYS, "key")
CLEAR = Script("clear", *_ALWAYS, "limit")

ALL = (SUBMIT, CLAIM, RENEW, SETTLE, CANCEL, CLEAR)
