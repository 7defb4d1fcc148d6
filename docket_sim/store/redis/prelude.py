"""What a script is sent of `lua/common.lua`: what it uses, and nothing else.

A server makes every function of a script anew at each run, and to find the locals that one uses it
goes through those that others use: with all of `common.lua`, that costs as much as ten commands. So
what is not used is left out, and constants are written where they are used.
"""

import re

_BEGINS = re.compile(r"(?!end\b|else)\w")
_NAMES = re.compile(r"local (?:function )?([\w, ]+)")
_CONSTANTS = re.compile(r"local ([A-Z_, ]+) = (\d+(?:, \d+)*)\s*")
_COMMENT = re.compile(r"--.*")
_WORD = re.compile(r"\w+")


def with_prelude(body: str, common: str) -> str:
    """A script's body, led by the statements of `common` that it needs."""
    statements: list[str] = []
    constants: dict[str, str] = {}
    for statement in _needed(body, _statements(common)):
        if found := _CONSTANTS.fullmatch(statement):
            constants |= zip(_WORD.findall(found[1]), _WORD.findall(found[2]), strict=True)
        else:
            statements.append(statement)
    return _WORD.sub(lambda word: constants.get(word[0], word[0]), "".join([*statements, body]))


def _statements(common: str) -> list[str]:
    """The outermost statements; each begins on a line that is not indented."""
    statements: list[str] = []
    for line in _COMMENT.sub("", common).splitlines(keepends=True):
        if _BEGINS.match(line):
            statements.append(line)
        elif line.strip():
            statements[-1] += line
    return statements


def _needed(body: str, statements: list[str]) -> list[str]:
    """Those that do something by themselves, and those whose names are used further down."""
    used = _words(body)
    needed: list[str] = []
    for statement in reversed(statements):
        names = _NAMES.match(statement)
        if names is None or not used.isdisjoint(_words(names[1])):
            needed.append(statement)
            used |= _words(statement)
    return needed[::-1]


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_COMMENT.sub("", text)))
