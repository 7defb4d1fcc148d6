"""Why an assertion fails, in words: the verdict, what was expected, and what comes closest."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from docket_sim.assertions.evidence import Evidence, due
from docket_sim.assertions.expectation import (
    ANYONE,
    FAILED,
    RAN,
    RETRIED,
    SCHEDULED,
    Expectation,
    Miss,
)
from docket_sim.assertions.history import Drop, Run
from docket_sim.assertions.values import Difference, difference, wanted
from docket_sim.assertions.wording import (
    Lines,
    composed,
    durations_in_words,
    inline,
    listed,
    singular,
    times_in_words,
)
from docket_sim.clock.durations import short, shown
from docket_sim.entropy import short_key
from docket_sim.errors import error_text
from docket_sim.execution import TaskCall


class Explanation:
    """Why no run is what an assertion expects."""

    def __init__(
        self,
        expectation: Expectation,
        evidence: Evidence,
        candidates: Sequence[tuple[Run, list[Miss]]],
    ) -> None:
        """
        Args:
            expectation: what was expected.
            evidence: what was looked at.
            candidates: the runs, each with the respects in which it is not as expected.
        """
        self._expectation = expectation
        self._evidence = evidence
        self._candidates = sorted(candidates, key=lambda one: self._distance(*one))
        self._call = repr(expectation.call)

    def text(self) -> str:
        """The whole message."""
        drop = self._drop()
        if drop is not None:
            return self._dropped(drop)
        if not self._candidates:
            return self._nothing()
        run, misses = self._candidates[0]
        kinds = {
            Miss.TASK: self._other_tasks,
            Miss.ARGUMENTS: self._other_arguments,
            Miss.STATUS: self._other_status,
            Miss.KEY: self._other_key,
            Miss.BY: self._other_scheduler,
            Miss.ERROR: self._other_error,
            Miss.TIME: self._other_time,
            Miss.RECORDED: self._unrecorded,
            Miss.DELAYS: self._other_delays,
        }
        verdict, found = kinds[misses[0]](run)
        return self._message(verdict, [*found, *self._also(misses[0], run)])

    # The kinds of miss.

    def _nothing(self) -> str:
        denies = self._expectation.kind.denies
        return self._message(f"{self._call} {denies}: {self._evidence.nothing()}", [])

    def _other_tasks(self, _run: Run) -> tuple[str, Lines]:
        kind = self._expectation.kind
        alike = [run for run, _ in self._candidates if kind.holds(run, self._evidence)]
        counts = Counter(run.call.task for run in alike)
        tasks = [f"{task} ({n})" if n > 1 else task for task, n in counts.items()]
        did = {SCHEDULED: "are", RAN: "did", FAILED: "did", RETRIED: "were scheduled"}[kind]
        if not alike:
            return f"{self._call} {kind.denies}, and nothing else {singular(did)}", self._others()
        return (
            f"{self._call} {kind.denies}, only other tasks {did}: {inline(tasks)}",
            self._others(),
        )

    def _others(self) -> Lines:
        rows = [
            f"{self._evidence.describe(run)}   {self._evidence.status(run)}"
            for run, _ in self._candidates
        ]
        return [("found", listed(rows))]

    def _other_arguments(self, run: Run) -> tuple[str, Lines]:
        name, kind = self._expectation.call.name, self._expectation.kind
        differences = self._expectation.call.differences(self._evidence.arguments(run.call))
        found = [
            f"{self._evidence.describe(run)}   {self._evidence.status(run)}",
            *(str(difference) for difference in differences),
            self._details(run),
        ]
        fits = run.status in kind.statuses
        verdict = f"{name} {kind.says}, but with other arguments"
        if not fits:
            verdict = f"{self._call} {kind.denies}; {name} was called with other arguments only"
        return verdict, [("found", "\n".join(found))]

    def _other_status(self, run: Run) -> tuple[str, Lines]:
        kind = self._expectation.kind
        why = self._why_elsewhere(run)
        if kind is RAN and run.status == "failed":
            verdict = f"{self._call} ran, but failed"
        elif kind is SCHEDULED:
            verdict = f"{self._call} is not scheduled any more: {why}"
        else:
            verdict = f"{self._call} {kind.denies}: {why}"
        found = [self._evidence.status(run)]
        if run.error is not None:
            found.append(error_text(run.error))
        return verdict, [("found", "\n".join([*found, self._details(run)]))]

    def _why_elsewhere(self, run: Run) -> str:
        if self._expectation.kind is RETRIED:
            return self._why_not_retried(run)
        retried = " for another attempt" if run.attempt > 1 else ""
        return {
            "waiting": f"it is still waiting{retried}",
            "running": "it is still running",
            "completed": "it succeeded" if self._expectation.kind is FAILED else "it already ran",
            "failed": "it ran, but failed",
            "cancelled": "it was cancelled",
            "replaced": "it was replaced",
        }[run.status]

    def _why_not_retried(self, run: Run) -> str:
        return {
            "waiting": "it is still waiting",
            "running": "its first attempt is still running",
            "completed": "its first attempt succeeded",
            "failed": "it failed for good",
            "cancelled": "it was cancelled",
            "replaced": "it was replaced",
        }[run.status]

    def _other_key(self, run: Run) -> tuple[str, Lines]:
        expected = wanted(self._expectation.key)
        verdict = f"{self._call} {self._expectation.kind.says}, but under another key"
        remark = _remark(difference(self._expectation.key, run.call.key))
        found = f"key {run.call.key!r}, expected {expected}{remark}"
        return verdict, [("found", f"{found}\n{self._evidence.status(run)}, {self._by(run)}")]

    def _other_scheduler(self, run: Run) -> tuple[str, Lines]:
        kind, by = self._expectation.kind, self._expectation.by
        who = "from outside of tasks" if by is None else f"by {by!r}"
        was = "" if kind.says.startswith(("is", "was")) else "was scheduled "
        verdict = f"{self._call} {kind.says}, but {'not ' + was if was else 'not '}{who}"
        return verdict, [
            (
                "found",
                f"{self._by(run)}\nkey {short_key(run.call.key)}, {self._evidence.status(run)}",
            )
        ]

    def _other_error(self, run: Run) -> tuple[str, Lines]:
        found = "no error" if run.error is None else error_text(run.error)
        assert self._expectation.error is not None
        found += _remark(self._expectation.error.difference(run.error))
        verdict = f"{self._call} failed, but with another error"
        return verdict, [("found", f"{found}\n{self._details(run)}")]

    def _other_time(self, run: Run) -> tuple[str, Lines]:
        kind = self._expectation.kind
        off = self._expectation.off_by(run)
        late = f"{short(abs(off))} too {'late' if off > timedelta(0) else 'early'}"
        verdict = (
            f"{self._call} is scheduled, but for another time"
            if kind is SCHEDULED
            else f"{self._call} {kind.says}, but at another time"
        )
        overdue = kind is SCHEDULED and run.when < self._evidence.now
        found = f"{self._instant(run)}" if overdue else f"{self._instant(run)}   {late}"
        return verdict, [("found", f"{found}\n{self._details(run)}")]

    def _unrecorded(self, run: Run) -> tuple[str, Lines]:
        verdict = f"{self._call} {self._expectation.kind.says}, but not while it was recorded"
        return verdict, [("found", f"{self._evidence.status(run)}\n{self._details(run)}")]

    def _other_delays(self, run: Run) -> tuple[str, Lines]:
        expectation, retries = self._expectation, self._evidence.retries(run)
        count = expectation.retries
        if expectation.delays is not None:
            count = len(expectation.delays)
        if count is not None and len(retries) != count:
            found = times_in_words(len(retries))
            verdict = f"{self._call} was retried {found}, expected {times_in_words(count)}"
        else:
            verdict = f"{self._call} was retried, but after other delays"
        errors = [error_text(one.error) for one in run.tries if one.error is not None]
        found = durations_in_words(retries)
        return verdict, [
            ("found", f"{found}\n{self._evidence.status(run)}, {self._details(run)}"),
            *([("errors", listed(errors))] if errors else []),
        ]

    def _drop(self) -> Drop | None:
        """The dropped call that is meant, unless a run comes as close."""
        closest = self._candidates[0][1][0] if self._candidates else Miss.TASK
        if closest >= Miss.STATUS or self._expectation.kind not in (SCHEDULED, RAN):
            return None
        for drop in self._evidence.drops:
            holder = None if drop.holder is None else drop.holder.call
            if self._is_meant(drop.event.call) and (holder is None or not self._is_meant(holder)):
                return drop
        return None

    def _is_meant(self, call: TaskCall) -> bool:
        """Whether a call is certainly the one that is expected, under the key that is."""
        evidence, expected, key = self._evidence, self._expectation.call, self._expectation.key
        return (
            evidence.is_call_of(expected, call)
            and not expected.differences(evidence.arguments(call))
            and (key is None or difference(key, call.key) is None)
        )

    def _dropped(self, drop: Drop) -> str:
        event, holder = drop.event, drop.holder
        verdict = f"{self._call} was dropped as a duplicate: its key was taken"
        found = [
            f"dropped at {self._evidence.since_start(event.at)}, key {short_key(event.call.key)}"
        ]
        if holder is not None:
            found.append(
                f"the key belongs to {self._evidence.describe(holder)}   "
                f"{self._evidence.status(holder)}"
            )
            found.append(self._evidence.scheduler(holder))
        return self._message(verdict, [("found", "\n".join(found))])

    # What stands below.

    def _message(self, verdict: str, found: Lines) -> str:
        return composed(
            verdict,
            [
                ("now", self._evidence.present()),
                ("expected", self._expected()),
                *found,
                ("next due", self._evidence.next_due()),
            ],
        )

    def _expected(self) -> str:
        expectation = self._expectation
        words = [self._call]
        if expectation.key is not None:
            words.append(f"key {wanted(expectation.key)}")
        if expectation.by is not ANYONE:
            who = "from outside of tasks" if expectation.by is None else f"by {expectation.by!r}"
            words.append(f"scheduled {who}")
        if expectation.error is not None:
            words.append(str(expectation.error))
        if expectation.delays is not None:
            words.append(f"retried after {durations_in_words(expectation.delays)}")
        elif expectation.retries is not None:
            words.append(f"retried {times_in_words(expectation.retries)}")
        if expectation.when is None:
            return ", ".join(words)
        return "\n".join(
            [self._expected_instant(), *([", ".join(words)] if len(words) > 1 else [])]
        )

    def _expected_instant(self) -> str:
        when = self._expectation.when
        assert when is not None
        tolerance = self._expectation.within
        give = f"   give or take {short(tolerance)}" if tolerance else ""
        return f"{self._relative(when):<{self._width}} {shown(when)}{give}"

    def _instant(self, run: Run) -> str:
        when = self._expectation.kind.instant(run)
        return f"{self._relative(when):<{self._width}} {shown(when)}"

    @property
    def _width(self) -> int:
        """How wide the column of relative times is."""
        found = [self._expectation.kind.instant(run) for run, _ in self._candidates[:1]]
        instants = [self._expectation.when, *found]
        return max(len(self._relative(when)) for when in instants if when is not None) + 2

    def _relative(self, when: datetime) -> str:
        if self._expectation.kind is not SCHEDULED:
            return f"at {self._evidence.since_start(when)}"
        return due(when, self._evidence.now)

    def _details(self, run: Run) -> str:
        return f"key {short_key(run.call.key)}, {self._evidence.scheduler(run)}"

    def _by(self, run: Run) -> str:
        return self._evidence.scheduler(run)

    def _also(self, miss: Miss, closest: Run) -> Lines:
        """The other runs that come as close, for a task of which there are several."""
        if miss is Miss.TASK:
            return []
        rows = [
            f"{self._evidence.describe(run)}   {self._evidence.status(run)}, "
            f"key {short_key(run.call.key)}"
            for run, misses in self._candidates
            if run is not closest and misses[0] is not Miss.TASK
        ]
        return [("also", listed(rows))] if rows else []

    def _distance(self, run: Run, misses: list[Miss]) -> tuple[int, int, int, timedelta]:
        """How far a run is from what is expected; the closest is explained."""
        expectation = self._expectation
        arguments = 0
        if misses[0] is Miss.ARGUMENTS:
            arguments = len(expectation.call.differences(self._evidence.arguments(run.call)))
        off = abs(expectation.off_by(run)) if expectation.when is not None else timedelta(0)
        return (-misses[0], arguments, len(misses), off)


def _remark(found: Difference | None) -> str:
    return "" if found is None else found.remark
