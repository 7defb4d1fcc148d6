"""The rules that are in force: which of them strikes, at which point of a call."""

from collections.abc import Iterable
from dataclasses import dataclass

from docket_sim.clock import VirtualClock
from docket_sim.simulation.choices import Choices, Odds
from docket_sim.simulation.faults.calls import VERBS, StoreCall, Verb
from docket_sim.simulation.faults.effects import (
    Fuse,
    Partition,
    Position,
    Redeliver,
    RestartStore,
    Rule,
)
from docket_sim.simulation.faults.rules import Faults
from docket_sim.simulation.faults.troubles import Troubles
from docket_sim.store import Claimed

_DELIVERIES = 3  # lost by chance: a few more, and a call would count as poison


@dataclass(eq=False, slots=True)
class InForce:
    """A rule that is in force, and how often it has struck."""

    rule: Rule
    strikes: int = 0


class Rulebook:
    """Says which rule strikes a call: one that is sure to, or the one that was drawn by lot."""

    def __init__(
        self, faults: Faults, choices: Choices, troubles: Troubles, clock: VirtualClock
    ) -> None:
        """
        Args:
            faults: the rules.
            choices: what decides where rules with odds strike.
            troubles: what lasts, and need not be done twice.
            clock: the virtual time.
        """
        self._choices = choices
        self._troubles = troubles
        self._clock = clock
        self._limit = faults.limit
        self._struck_by_chance = 0
        rules = [InForce(rule) for rule in faults.rules]
        self._sure = {verb: _rules(rules, verb, by_chance=False) for verb in VERBS}
        self._by_chance = {verb: _rules(rules, verb, by_chance=True) for verb in VERBS}
        self._odds = {verb: _odds_of(rules) for verb, rules in self._by_chance.items()}

    def enact(self, rule: Rule) -> None:
        """Put a rule without odds in force."""
        in_force = InForce(rule)
        for verb in VERBS if rule.verb is None else (rule.verb,):
            self._sure[verb].append(in_force)

    def repeal(self) -> None:
        """Let no rule be in force any more."""
        for rules in (*self._sure.values(), *self._by_chance.values()):
            rules.clear()

    def is_sure_of(self, verb: Verb) -> bool:
        """Whether there are rules about such calls that do not depend on chance."""
        return bool(self._sure[verb])

    def by_lot(self, call: StoreCall) -> InForce | None:
        """The rule that chance has chosen for a call, if it has chosen one."""
        rules = self._by_chance[call.verb]
        if not rules or call.host is None or self._chance_is_spent:
            return None
        value = self._choices.draw(_lot(call), 1 + len(rules), odds=self._odds[call.verb])
        return rules[value - 1] if value else None

    def note_idle(self, call: StoreCall) -> None:
        """Nothing came of a call that chance has spared: to spare it was no decision."""
        self._choices.dull.add((_lot(call), self._choices.count_of(_lot(call))))

    def at(
        self,
        position: Position,
        call: StoreCall,
        by_lot: InForce | None,
        *,
        redelivering: bool = False,
    ) -> InForce | None:
        """The first rule that applies at that point, those that are sure before the one by lot."""
        sure = self._sure[call.verb]
        for in_force in sure if by_lot is None else (*sure, by_lot):
            rule = in_force.rule
            if (
                rule.position == position
                and isinstance(rule.effect, Redeliver) is redelivering
                and self._applies(in_force, call)
            ):
                return in_force
        return None

    def count(self, in_force: InForce) -> None:
        """A rule strikes."""
        in_force.strikes += 1
        self._struck_by_chance += in_force.rule.odds is not None

    @property
    def _chance_is_spent(self) -> bool:
        return self._limit is not None and self._struck_by_chance >= self._limit

    def _applies(self, in_force: InForce, call: StoreCall) -> bool:
        rule = in_force.rule
        if rule.times is not None and in_force.strikes >= rule.times:
            return False
        if rule.odds is not None and (_deliveries(call) >= _DELIVERIES or self._lasts(rule, call)):
            return False
        if call.idle and isinstance(rule.effect, Fuse):
            return False  # there is nothing to burn in
        return rule.scope.covers(call, self._clock.true_now(), self._clock.start)

    def _lasts(self, rule: Rule, call: StoreCall) -> bool:
        """Whether `call` is refused already: who asks often would never be let through again."""
        return isinstance(rule.effect, Partition | RestartStore) and self._troubles.refuses(call)


def _rules(rules: Iterable[InForce], verb: Verb, *, by_chance: bool) -> list[InForce]:
    return [
        one
        for one in rules
        if one.rule.at is None
        and one.rule.verb in {None, verb}
        and (one.rule.odds is not None) is by_chance
    ]


def _odds_of(rules: Iterable[InForce]) -> Odds:
    """How probable it is that each of the rules strikes, where at most one of them can."""
    odds = [one.rule.odds or 0.0 for one in rules]
    most = max(1.0, sum(odds))
    return tuple(probability / most for probability in odds)


def _lot(call: StoreCall) -> str:
    return f"{call.lane} {call.verb}: fault"


def _deliveries(call: StoreCall) -> int:
    claims = call.answer.claims if isinstance(call.answer, Claimed) else call.claims
    return max((claim.delivery for claim in claims), default=0)
