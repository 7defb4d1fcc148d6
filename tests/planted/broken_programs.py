"""Programs that trust in what does not hold: that they run once, alone, to the end, on one clock.

Each is told by a task and its twin: the same work, done so that it bears what can happen.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from docket_sim import CurrentDocket, Depends, Docket, Retry, Timeout
from docket_sim.errors import StoreUnavailable
from docket_sim.simulation.faults.rules import Faults
from planted.bug import program

SECOND = timedelta(seconds=1)


async def get_shop():
    raise AssertionError("every scenario brings its own")


def new_shop():
    """What stands outside of the docket: a bank, a mailbox, a database, a cache, a file."""
    return SimpleNamespace(
        balance=0,
        charges=[],
        mails=[],
        rows=set(),
        cache=set(),
        lines=[],
        writers=0,
        lock=None,
        locked_until=None,
        inside=0,
        overlaps=0,
        done=0,
        paid=False,
        piled=0,
    )


def selling(judge, *tasks):
    """A scenario: each of the tasks is added once, and in the end the shop is judged."""

    async def scenario(sim):
        shop = new_shop()
        sim.override(get_shop, value=shop)
        for number, task in enumerate(tasks):
            await sim.docket.add(task, key=f"order-{number}")()
        await sim.run_until_idle()
        await sim.run_for("1s")
        judge(shop)

    return scenario


# Two deposits, each of which reads, waits, and writes.


async def deposit(shop=Depends(get_shop)) -> None:
    read = shop.balance
    await asyncio.sleep(0.01)
    shop.balance = read + 1


async def deposit_at_once(shop=Depends(get_shop)) -> None:
    await asyncio.sleep(0.01)
    shop.balance += 1


def depositing(task):
    """Two deposits, far enough from one another unless something is slow."""

    async def scenario(sim):
        shop = new_shop()
        sim.override(get_shop, value=shop)
        await sim.docket.add(task, key="a")()
        await sim.docket.add(task, key="b", when=sim.clock.now() + timedelta(milliseconds=30))()
        await sim.run_until_idle()
        assert shop.balance == 2, f"the balance is {shop.balance}"

    return scenario


# A charge.


async def charge(shop=Depends(get_shop)) -> None:
    shop.charges.append("order")
    await asyncio.sleep(1)


async def charge_by_number(shop=Depends(get_shop)) -> None:
    if "order" not in shop.charges:
        shop.charges.append("order")
    await asyncio.sleep(1)


def charged_once(shop):
    assert len(shop.charges) == 1, f"charged {len(shop.charges)} times"


async def order(docket: Docket = CurrentDocket()) -> None:
    while True:
        try:
            await docket.add(charge)()
        except StoreUnavailable:
            await asyncio.sleep(0.1)
        else:
            return


async def order_by_key(docket: Docket = CurrentDocket()) -> None:
    while True:
        try:
            await docket.add(charge, key="charge-of-order")()
        except StoreUnavailable:
            await asyncio.sleep(0.1)
        else:
            return


# A mail.


async def mail_then_write(shop=Depends(get_shop)) -> None:
    if "mailed" not in shop.rows:
        shop.mails.append("mail")
        await asyncio.sleep(0.01)
        shop.rows.add("mailed")


async def mail_by_number(shop=Depends(get_shop)) -> None:
    if "mail" not in shop.mails:
        shop.mails.append("mail")
        await asyncio.sleep(0.01)


def mailed_once(shop):
    assert len(shop.mails) == 1, f"{len(shop.mails)} mails"


# A row and what the cache knows of it.


async def cache_then_commit(shop=Depends(get_shop)) -> None:
    if "order" not in shop.cache:
        shop.cache.add("order")
        await asyncio.sleep(0.01)
        shop.rows.add("order")


async def commit_then_cache(shop=Depends(get_shop)) -> None:
    if "order" not in shop.cache:
        await asyncio.sleep(0.01)
        shop.rows.add("order")
        shop.cache.add("order")


def committed(shop):
    assert "order" in shop.rows, "the order was never committed"


async def commit_in_the_background(shop=Depends(get_shop)) -> None:
    async def commit():
        await asyncio.sleep(0.01)
        shop.rows.add("order")

    shop.lock = asyncio.create_task(commit())


async def commit_and_wait(shop=Depends(get_shop)) -> None:
    await asyncio.sleep(0.01)
    shop.rows.add("order")


# A file.


async def write_alone(shop=Depends(get_shop)) -> None:
    shop.writers += 1
    writer = shop.writers
    for _ in range(5):
        shop.lines.append(writer)
        await asyncio.sleep(90)


async def write_while_last(shop=Depends(get_shop)) -> None:
    shop.writers += 1
    writer = shop.writers
    for _ in range(5):
        if writer == shop.writers:
            shop.lines.append(writer)
        await asyncio.sleep(90)


def one_after_the_other(shop):
    assert shop.lines == sorted(shop.lines), f"the file's lines are those of {shop.lines}"


# A lock.


async def unlock_finally(
    shop=Depends(get_shop), retry: Retry = Retry(attempts=3, delay=10 * SECOND)
) -> None:
    if shop.lock is not None:
        raise RuntimeError("locked")
    shop.lock = "taken"
    try:
        await asyncio.sleep(240)
    finally:
        shop.lock = None


async def unlock_by_owner(
    shop=Depends(get_shop), retry: Retry = Retry(attempts=3, delay=10 * SECOND)
) -> None:
    if shop.lock not in {None, "order"}:
        raise RuntimeError("locked")
    shop.lock = "order"
    await asyncio.sleep(240)
    shop.lock = None


def unlocked(shop):
    assert shop.lock is None, "locked for ever"


async def lock_for(shop, duration):
    now = datetime.now(UTC)
    if shop.locked_until is not None and shop.locked_until > now:
        raise RuntimeError("locked")
    shop.locked_until = now + duration
    shop.inside += 1
    shop.overlaps += shop.inside > 1
    await asyncio.sleep(2)
    shop.inside -= 1
    shop.locked_until = None


async def lock_until_done(
    shop=Depends(get_shop), retry: Retry = Retry.forever(delay=SECOND)
) -> None:
    await lock_for(shop, 3 * SECOND)


async def lock_generously(
    shop=Depends(get_shop), retry: Retry = Retry.forever(delay=SECOND)
) -> None:
    await lock_for(shop, 60 * SECOND)


def one_inside(shop):
    assert not shop.overlaps, "two were inside at once"


# What follows.


async def count(shop=Depends(get_shop)) -> None:
    shop.done += 1


async def count_by_number(shop=Depends(get_shop)) -> None:
    shop.rows.add("order")
    shop.done = len(shop.rows)


def counted_once(shop):
    assert shop.done == 1, f"counted {shop.done} times"


async def try_thrice(docket: Docket = CurrentDocket()) -> None:
    for _ in range(3):
        with suppress(StoreUnavailable):
            await docket.add(count_by_number, key="count")()
            return
        await asyncio.sleep(0.2)


async def try_at_all(docket: Docket = CurrentDocket()) -> None:
    with suppress(StoreUnavailable):
        await docket.add(count_by_number, key="count")()


async def try_until_it_works(
    docket: Docket = CurrentDocket(), retry: Retry = Retry.forever(delay=SECOND)
) -> None:
    await docket.add(count_by_number, key="count")()


async def remind(shop=Depends(get_shop)) -> None:
    shop.mails.append("please pay")


async def remind_debtors(shop=Depends(get_shop)) -> None:
    if not shop.paid:
        shop.mails.append("please pay")


def paying(task):
    """A reminder that is due in ten seconds, and a payment just before."""

    async def pay(shop=Depends(get_shop), docket: Docket = CurrentDocket()) -> None:
        shop.paid = True
        await docket.cancel("reminder")

    async def scenario(sim):
        shop = new_shop()
        sim.override(get_shop, value=shop)
        await sim.docket.add(task, key="reminder", when=sim.clock.now() + 10 * SECOND)()
        await sim.docket.add(pay, key="payment", when=sim.clock.now() + 9 * SECOND)()
        await sim.run_until_idle()
        assert not shop.mails, "reminded of what is paid"

    return scenario


# How long the store takes to answer.

SLOW = Faults(latencies=("50ms",))


async def seconds(docket, question):
    asked = docket.now()
    await question
    return (docket.now() - asked) / SECOND


async def ask(docket):
    """How long the store takes for five times three questions: 100 ms each at most."""
    for _ in range(5):
        yield await seconds(docket, docket.snapshot())
        yield await seconds(docket, docket.get_execution("order-0"))
        yield await seconds(docket, docket.clear())


async def judge_by_the_others(docket: Docket = CurrentDocket(), shop=Depends(get_shop)) -> None:
    took = sorted([each async for each in ask(docket)])
    if took[-1] > took[-2]:
        shop.lines.append((took[-1] - took[0]) / (took[-2] - took[0]))
    shop.done += 1


async def judge_by_the_fastest(docket: Docket = CurrentDocket(), shop=Depends(get_shop)) -> None:
    took = sorted([each async for each in ask(docket)])
    shop.lines.append(took[-1] - took[0])
    shop.done += 1


def judged(shop):
    assert shop.done == 1, "nothing was judged"


async def copy(docket, shop, *, room):
    """Read and write by turns: while writing is slower, what was read piles up."""
    piled = 0
    for _ in range(12):
        read = await seconds(docket, docket.get_execution("order-0"))
        written = await seconds(docket, docket.snapshot())
        piled = piled + 1 if written > read and piled < room else 0
        shop.piled = max(shop.piled, piled)


async def copy_without_a_stop(docket: Docket = CurrentDocket(), shop=Depends(get_shop)) -> None:
    await copy(docket, shop, room=100)


async def copy_while_there_is_room(
    docket: Docket = CurrentDocket(), shop=Depends(get_shop)
) -> None:
    await copy(docket, shop, room=8)


def kept_up(shop):
    assert shop.piled <= 8, "the buffer is full"


async def ask_in_a_hurry(
    docket: Docket = CurrentDocket(),
    shop=Depends(get_shop),
    timeout: Timeout = Timeout(1.42 * SECOND),
) -> None:
    shop.lines = [each async for each in ask(docket)]
    shop.done += 1


async def ask_patiently(
    docket: Docket = CurrentDocket(),
    shop=Depends(get_shop),
    timeout: Timeout = Timeout(2 * SECOND),
) -> None:
    shop.lines = [each async for each in ask(docket)]
    shop.done += 1


def answered(shop):
    assert shop.done == 1, "it has timed out"


BUGS = (
    program(
        "lost update",
        "A deposit reads the balance, waits, and writes it.",
        depositing(deposit),
        depositing(deposit_at_once),
        says="the balance is 1",
        faults="none",
        runs=84,
    ),
    program(
        "charged again",
        "A charge that was made is made again when its worker died before it could say so.",
        selling(charged_once, charge),
        selling(charged_once, charge_by_number),
        says="charged 2 times",
        shows="power cut",
        runs=10,
    ),
    program(
        "ordered again",
        "When the answer to `add` is lost, the charge is added again, under another key.",
        selling(charged_once, order),
        selling(charged_once, order_by_key),
        says="charged 2 times",
        shows="answer lost",
        faults=Faults.lose_reply(times=None, odds=0.05),
        runs=10,
    ),
    program(
        "mailed, then written",
        "The mail is sent before it is written down that it was.",
        selling(mailed_once, mail_then_write),
        selling(mailed_once, mail_by_number),
        says="2 mails",
        shows="power cut",
        runs=24,
    ),
    program(
        "cached, then committed",
        "The cache knows of a row before the database does.",
        selling(committed, cache_then_commit),
        selling(committed, commit_then_cache),
        says="never committed",
        shows="power cut",
        runs=24,
    ),
    program(
        "committed after the end",
        "The task ends while the row is still being written.",
        selling(committed, commit_in_the_background),
        selling(committed, commit_and_wait),
        says="never committed",
        shows="power cut",
        runs=15,
    ),
    program(
        "alone in the file",
        "Whoever writes the file assumes that nobody else does, and goes on after a standstill.",
        selling(one_after_the_other, write_alone),
        selling(one_after_the_other, write_while_last),
        says="the file's lines",
        shows="stands still",
        runs=81,
    ),
    program(
        "cut off, and still writing",
        "A worker that is cut off goes on with what another has taken over.",
        selling(one_after_the_other, write_alone),
        selling(one_after_the_other, write_while_last),
        says="the file's lines",
        shows="cut off",
        faults=Faults.partition(times=None, odds=0.05, for_="1h"),
        runs=10,
    ),
    program(
        "unlocked finally",
        "A lock is given back in `finally`, which a power cut does not run.",
        selling(unlocked, unlock_finally),
        selling(unlocked, unlock_by_owner),
        says="locked",
        shows="power cut",
        runs=10,
    ),
    program(
        "locked by the clock",
        "A lock lasts as long as the work, by the clock of whoever looks.",
        selling(one_inside, lock_until_done, lock_until_done),
        selling(one_inside, lock_generously, lock_generously),
        says="two were inside",
        shows="clock set",
        faults=Faults.skew(by="5s", times=None, odds=0.05),
        world={"concurrency": 1},
        runs=10,
    ),
    program(
        "counted again",
        "A counter counts deliveries, and not what was delivered.",
        selling(counted_once, count),
        selling(counted_once, count_by_number),
        says="counted 2 times",
        shows="not acknowledged",
        faults=Faults.duplicate(times=None, odds=0.1),
        runs=6,
    ),
    program(
        "tried thrice",
        "The task gives up silently when the store has not answered for half a second.",
        selling(counted_once, try_thrice),
        selling(counted_once, try_until_it_works),
        says="counted 0 times",
        shows="away",
        faults=Faults.restart_store(for_="1s", times=None, odds=0.05),
        runs=10,
    ),
    program(
        "not tried again",
        "That the store did not answer is ignored.",
        selling(counted_once, try_at_all),
        selling(counted_once, try_until_it_works),
        says="counted 0 times",
        shows="never arrived",
        runs=54,
    ),
    program(
        "cancelled in time",
        "A reminder is cancelled a second before it is due, and does not look at the payment.",
        paying(remind),
        paying(remind_debtors),
        says="reminded of what is paid",
        shows="late",
        faults=Faults.delay("cancel", by="10s", times=None, odds=0.1),
        runs=6,
    ),
    program(
        "judged by the others",
        "How late an answer is, is told by the spread of the others: none, if it alone is late.",
        selling(judged, judge_by_the_others),
        selling(judged, judge_by_the_fastest),
        says="nothing was judged",
        faults=SLOW,
        workers=1,
        runs=12,
    ),
    program(
        "copied without a stop",
        "What is read piles up while writing is slower than reading, for long and without a break.",
        selling(kept_up, copy_without_a_stop),
        selling(kept_up, copy_while_there_is_room),
        says="the buffer is full",
        faults=SLOW,
        workers=1,
        runs=320,
    ),
    program(
        "timed by the usual",
        "The timeout is enough unless one worker is slow in all that it does.",
        selling(answered, ask_in_a_hurry),
        selling(answered, ask_patiently),
        says="it has timed out",
        faults=SLOW,
        workers=1,
        runs=150,
    ),
)
