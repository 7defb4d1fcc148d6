"""What a dependency is: a default value that becomes something else for each attempt."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, ClassVar, Generic, TypeVar

from docket_sim.dependencies.context import AttemptContext, current_attempt

T_co = TypeVar("T_co", covariant=True)


class Dependency(ABC, Generic[T_co]):
    """A parameter's default value that each attempt replaces with a value of its own.

    One instance stands in the signature and serves every attempt, also at the same time, so it
    must keep nothing of an attempt in itself. To write your own, subclass it: `__aenter__` gives
    the value that the parameter receives, and `__aexit__` lets go of it after the body, seeing what
    the body raised. What belongs to the attempt is found in `current_attempt`:

        class _Tenant(Dependency[str]):
            async def __aenter__(self) -> str:
                key = current_attempt.get().execution.key
                return key.split(":")[0]

        def Tenant() -> str:
            return cast(str, _Tenant())  # for type checkers, the default is what it becomes

        async def send_invoice(order_id: int, tenant: str = Tenant()) -> None: ...

    A dependency whose release needs the thing that it made is more easily written as a generator
    for `Depends`.

    Attributes:
        single: set on a class, it means that a task may have one of its kind only, subclasses
            and the worker's own dependencies counted.
        outlives_attempt: whether the value may be used longer than the attempt, as a `Shared`
            factory does.
    """

    single: ClassVar[bool] = False
    outlives_attempt: ClassVar[bool] = False

    @abstractmethod
    async def __aenter__(self) -> T_co:
        """The value for the present attempt. What it raises fails the attempt."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Let go of the value.

        What it raises fails the attempt. True swallows an error of the body, and the attempt has
        succeeded; that other dependencies failed, that time is up or that the execution was
        cancelled cannot be swallowed.
        """
        return None

    def bind_to_parameter(self, name: str, value: object) -> "Dependency[Any]":
        """The dependency to enter when this one annotates an argument.

        In `Annotated[int, Audited()]`, the instance is told the parameter's name and the value that
        the caller passed, and may return another one that knows them. The default ignores both.
        """
        del name, value
        return self


class Immediate(Dependency[T_co]):
    """A dependency whose value is there without waiting and needs no release.

    Subclasses give `provide`; the resolver calls it directly, which is faster than entering a
    context manager.
    """

    @abstractmethod
    def provide(self, context: AttemptContext, parameter: str) -> T_co:
        """The value for this attempt, for the parameter of that name."""

    async def __aenter__(self) -> T_co:
        return self.provide(current_attempt.get(), "")


def single_kind(dependency: Dependency[Any]) -> type[Dependency[Any]] | None:
    """The class of which a task may have only one, if `dependency` is of such a kind."""
    kinds = [kind for kind in type(dependency).__mro__ if vars(kind).get("single")]
    return kinds[-1] if kinds else None
