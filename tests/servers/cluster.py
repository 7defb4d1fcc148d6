"""A Redis Cluster of three masters without replicas, and slots that can be moved between them."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from .binaries import Binary
from .server import RedisServer
from .waiting import HOST, wait_until

SLOTS = 16_384
_MASTERS = 3
_KNOWS_RANGES = (7, 0)  # CLUSTER ADDSLOTSRANGE
_BATCH = 100
_MIGRATE_WITHIN = "5000"  # milliseconds
_CONFIG = (
    "cluster-enabled yes",
    "cluster-config-file nodes.conf",
    "cluster-node-timeout 2000",
    f"cluster-announce-ip {HOST}",
)


class RedisCluster:
    """Three masters that share all slots.

    A cluster takes two seconds to form: that long, a master that has just been started refuses
    writes. Several that are started at once, in threads, take no longer.

    Attributes:
        nodes: the masters; each may be killed, paused and restarted.
    """

    def __init__(self, binary: Binary | None = None, *, config: Sequence[str] = ()) -> None:
        """
        Args:
            binary: what to run; else the first that is found.
            config: further lines of each node's configuration file.
        """
        lines = (*_CONFIG, *config)
        self.nodes = [RedisServer(binary, config=lines) for _ in range(_MASTERS)]

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Start the nodes, share the slots out, and return when each node says that all is well.

        Raises:
            ServerDidNotStart: one did not.
            TookTooLong: they have not found to each other.
        """
        for number, node in enumerate(self.nodes):
            node.start()
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            self._take_slots(node, number)
        for node in self.nodes[1:]:
            node.ask("CLUSTER", "MEET", HOST, self.nodes[0].port)
        self.wait_until_ok()
        return self

    def close(self) -> None:
        """Close every node. May be called again."""
        for node in self.nodes:
            node.close()

    @property
    def url(self) -> str:
        """The URL by which the whole cluster is found."""
        return f"redis+cluster://{HOST}:{self.nodes[0].port}"

    def wait_until_ok(self) -> None:
        """Return when each node knows all the others, and that every slot is served.

        Raises:
            TookTooLong: that has not come about.
        """
        for node in self.nodes:
            wait_until(lambda node=node: _is_ok(node), f"{node} finds its cluster complete")

    def slot_of(self, key: str | bytes) -> int:
        """The slot that a key belongs to."""
        return int(self.nodes[0].ask("CLUSTER", "KEYSLOT", key))

    def owner_of(self, slot: int) -> RedisServer:
        """The node that has a slot, as one that runs sees it."""
        witness = next(node for node in self.nodes if node.running)
        ports = {
            port
            for first, last, (_, port, *_), *_ in witness.ask("CLUSTER", "SLOTS")
            if first <= slot <= last
        }
        return next(node for node in self.nodes if node.port in ports)

    def move_slot(self, slot: int, to: RedisServer) -> None:
        """Move a slot and its keys to another node. Does nothing if it is there already.

        Afterwards, its former owner answers MOVED.
        """
        if self.owner_of(slot) is not to:
            self.start_moving(slot, to)
            self.move_keys(slot, to)
            self.finish_moving(slot, to)

    def start_moving(self, slot: int, to: RedisServer) -> None:
        """Begin to move a slot: its owner answers ASK for every key that it does not hold."""
        owner = self.owner_of(slot)
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", _id_of(owner))
        owner.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", _id_of(to))

    def move_keys(self, slot: int, to: RedisServer) -> None:
        """Move the keys of a slot that is being moved."""
        owner = self.owner_of(slot)
        target: tuple[Any, ...] = (HOST, to.port, "", 0, _MIGRATE_WITHIN, "KEYS")
        while keys := owner.ask("CLUSTER", "GETKEYSINSLOT", slot, _BATCH):
            owner.ask("MIGRATE", *target, *keys)

    def finish_moving(self, slot: int, to: RedisServer) -> None:
        """End the move of a slot that has no keys left: all nodes learn the new owner."""
        others = [node for node in self.nodes if node is not to]
        for node in (to, *others):  # first who gets it: otherwise nobody might have it
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", _id_of(to))

    def _take_slots(self, node: RedisServer, number: int) -> None:
        first, end = (SLOTS * edge // _MASTERS for edge in (number, number + 1))
        if node.binary.release >= _KNOWS_RANGES:
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        else:
            node.ask("CLUSTER", "ADDSLOTS", *range(first, end))


def _is_ok(node: RedisServer) -> bool:
    info = node.ask("CLUSTER", "INFO").split()
    return b"cluster_state:ok" in info and b"cluster_known_nodes:%d" % _MASTERS in info


def _id_of(node: RedisServer) -> str:
    return node.ask("CLUSTER", "MYID").decode()
