"""What `VirtualLoop` takes from asyncio's own loop, although asyncio does not promise it."""

import ast
import asyncio
import inspect
import re
import selectors
import socket
from asyncio import selector_events
from collections import deque

import pytest

from docket_sim.simulation import loop as loop_module


@pytest.fixture
def loop():
    """asyncio's own loop; closed afterwards."""
    loop = asyncio.SelectorEventLoop()
    yield loop
    loop.close()


def parameters(function):
    """The names of a function's parameters."""
    return list(inspect.signature(function).parameters)


CHECKS = {
    "_run_once": lambda member: parameters(member) == [],
    "_ready": lambda member: isinstance(member, deque),
    "_stopping": lambda member: member is False,
    "_selector": lambda member: isinstance(member, selectors.BaseSelector),
    "_process_events": lambda member: len(parameters(member)) == 1,
    "_asyncgens": lambda member: (
        len(member) == 0 and all(hasattr(member, name) for name in ("add", "discard", "clear"))
    ),
    "_child_watcher_callback": lambda member: parameters(member)[:2] == ["pid", "returncode"],
    "_make_socket_transport": lambda member: parameters(member)[:2] == ["sock", "protocol"],
}


@pytest.mark.parametrize("name", CHECKS)
def test_asyncio_has_the_member_in_the_expected_shape(loop, name):
    """A Python that changed one of these would be noticed here first."""
    assert CHECKS[name](getattr(loop, name))


def test_every_member_that_the_module_names_is_checked():
    """The module's docstring and this file name the same members."""
    named = set(re.findall(r"`(_\w+)`", loop_module.__doc__))
    assert named == set(CHECKS)


def test_every_private_member_that_the_loop_uses_exists(loop):
    """Whatever the module takes from `self` and does not define itself, asyncio's loop has."""
    kinds = (loop_module.VirtualLoop, loop_module.AccountingLoop)
    used = {
        node.attr
        for kind in kinds
        for node in ast.walk(ast.parse(inspect.getsource(kind)))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and node.attr.startswith("_")
    }
    virtual = loop_module.VirtualLoop()
    virtual.close()
    own = {name for kind in kinds for name in vars(kind)} | set(vars(virtual)) - set(vars(loop))
    missing = {name for name in used - own if not hasattr(loop, name)}
    assert {"_closed", "_ready", "_selector"} <= used
    assert missing == set()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(loop_module.Handle, asyncio.Handle), (loop_module.Timer, asyncio.TimerHandle)],
)
def test_handles_are_made_of_the_fields_that_asyncio_reads(loop, ours, theirs):
    """A lean handle leaves no field unset that asyncio's own handle has."""
    when = (1.0,) if ours is loop_module.Timer else ()
    lean = ours(*when, print, (), loop, None)
    full = theirs(*when, print, (), loop, None)
    fields = {
        name for kind in theirs.__mro__ for name in getattr(kind, "__slots__", ()) if name[1] != "_"
    }
    assert {name for name in fields if not hasattr(lean, name)} == set()
    assert {name for name in fields if hasattr(full, name)} == fields


def test_the_readiness_of_sockets_comes_as_key_and_mask(loop):
    """`_poll` reads the descriptor and the mask of what the selector tells."""
    here, there = socket.socketpair()
    with here, there:
        loop._selector.register(here, selectors.EVENT_READ, (None, None))
        there.send(b"x")
        [(key, mask)] = loop._selector.select(1)
        loop._selector.unregister(here)
        assert (key.fd, mask) == (here.fileno(), selectors.EVENT_READ)


@pytest.mark.parametrize("name", ["write", "writelines", "_force_close", "close"])
def test_the_socket_transport_has_what_is_overridden(name):
    """The transport that tells of conversations extends these."""
    assert callable(getattr(selector_events._SelectorSocketTransport, name))


def test_a_task_is_registered_by_its_hash(loop):
    """`all_tasks()` finds a task that hashes by a counter."""
    virtual = loop_module.VirtualLoop()

    async def program():
        return asyncio.current_task() in asyncio.all_tasks()

    try:
        assert virtual.run_until_complete(program())
    finally:
        virtual.close()
