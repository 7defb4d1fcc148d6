"""huey: blocking clients and bodies, in threads; nothing is acknowledged."""

from collections.abc import Callable

from huey import RedisHuey

from benchmarks.redis.sink import Sink


class Huey:
    """huey that waits for work by a blocking pop, and keeps no results."""

    def __init__(self, url: str, concurrency: int, sink: Sink) -> None:
        self._huey = RedisHuey("benchmark", url=url, results=False)
        self._concurrency = concurrency

        def noop() -> None:
            sink.hit()

        def stamped(sent: float) -> None:
            sink.arrived(sent)

        self._noop = self._huey.task(name="noop")(noop)
        self._stamped = self._huey.task(name="stamped")(stamped)

    async def open(self) -> None:
        pass  # it connects with the first task

    async def close(self) -> None:
        pass

    async def add(self) -> None:
        self._noop()

    async def add_stamped(self, sent: float) -> None:
        self._stamped(sent)

    async def work(self, ready: Callable[[], None], *, until_finished: bool) -> None:
        consumer = self._huey.create_consumer(
            workers=self._concurrency,
            worker_type="thread",
            periodic=False,
            check_worker_health=False,
        )
        ready()
        consumer.run()  # on the main thread, whose signals it wants; the loop has nothing to do
