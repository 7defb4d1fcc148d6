"""What a run has led to, as a tree in text."""

from docket_sim.assertions.evidence import Evidence, Link, due, place
from docket_sim.assertions.history import Run
from docket_sim.assertions.values import safe_repr
from docket_sim.entropy import short_key

_DEEPEST = 6
_WIDEST = 12


def tree(evidence: Evidence, root: Run) -> str:
    """What `root` has led to, as a tree in text; deep and wide ones are cut, with a count."""
    rows = [f"{evidence.describe(root)}   {evidence.status(root)}"]
    rows += _branches(evidence, root, "", {id(root)})
    return "\n".join(rows)


def _branches(evidence: Evidence, parent: Run, indent: str, seen: set[int]) -> list[str]:
    links = evidence.links_of(parent)
    if links and len(indent) // 3 >= _DEEPEST:
        return [f"{indent}└─ … {len(links)} more"]
    rows: list[str] = []
    names = [evidence.describe(link.child) for link in links if not link.dropped]
    for number, link in enumerate(links[:_WIDEST], start=1):
        last = number == len(links)
        branch = _branch(evidence, link, namesakes=names.count(evidence.describe(link.child)) > 1)
        rows.append(f"{indent}{'└─' if last else '├─'} {branch}")
        if not link.dropped and id(link.child) not in seen:
            inner = {*seen, id(link.child)}
            rows += _branches(evidence, link.child, indent + ("   " if last else "│  "), inner)
    if len(links) > _WIDEST:
        rows.append(f"{indent}└─ … {len(links) - _WIDEST} more")
    return rows


def _branch(evidence: Evidence, link: Link, *, namesakes: bool) -> str:
    where = place(link.source)
    if link.dropped:
        asked = evidence.docket.describe(link.asked)
        return f"{asked}   dropped, its key {safe_repr(link.asked.key)} was taken, {where}"
    child = link.child
    gap = "at once" if child.due <= link.at else due(child.due, link.at).removeprefix("due ")
    key = f"key {short_key(child.call.key)}, " if namesakes else ""
    return f"{evidence.describe(child)}   {key}{gap}, {evidence.status(child)}, {where}"
