"""The dependencies guide as a document: its text cut into prose and blocks of code that can run.

The code stands in the text without fences. A block begins at a line that only code begins with, and
ends where the next paragraph of prose begins.
"""

import builtins
import re
import symtable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

GUIDE = Path(__file__).with_name("dependencies-guide.txt")
MODULE_NAME = "the_dependencies_guide"

_BEGINS_CODE = re.compile(r"(from \S+ import |import \S+$|(async )?def \w+\(|class \w+|@\w|# )")
_CONTINUES_CODE = re.compile(r"(\s|[)\]}]|$)")
_IMPORT_NAME = re.compile(r"^from docket import ", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes:
        line: where it begins in the document, counted from 1.
        source: its text, as it stands there.
    """

    line: int
    source: str

    @property
    def runnable(self) -> str:
        """The source with the import name changed, and nothing else."""
        return _IMPORT_NAME.sub("from docket_sim import ", self.source)

    @property
    def functions(self) -> list[str]:
        """The names of the functions that it defines, in order."""
        return re.findall(r"^(?:async )?def (\w+)\(", self.source, re.MULTILINE)


def read_document() -> tuple[list[Block], list[str]]:
    """The document's blocks of code, and its lines of prose, each in order."""
    blocks: list[Block] = []
    prose: list[str] = []
    code: list[str] = []
    begins = 0
    for number, line in enumerate([*GUIDE.read_text().splitlines(), "End of the guide."], 1):
        if _BEGINS_CODE.match(line) or (code and _CONTINUES_CODE.match(line)):
            begins = begins if code else number
            code.append(line)
            continue
        if code:
            blocks.append(Block(begins, "\n".join(code).rstrip() + "\n"))
            code = []
        prose.append(line)
    return blocks, [line for line in prose[:-1] if line]


def open_names(blocks: list[Block]) -> set[str]:
    """The names that the document's code uses and leaves to the reader's application."""
    used: set[str] = set()
    defined = set(dir(builtins))
    for block in blocks:
        table = symtable.symtable(block.runnable, GUIDE.name, "exec")
        defined.update(s.get_name() for s in table.get_symbols() if s.is_assigned())
        defined.update(s.get_name() for s in table.get_symbols() if s.is_imported())
        used.update(_globals_of(table))
    return used - defined


def load(supplied: dict[str, Any], *, through: str | None = None) -> ModuleType:
    """A module in which the document's blocks have run, one after the other.

    Args:
        supplied: what the application brings.
        through: the function whose block is the last to run; by default all of them do.
    """
    module = ModuleType(MODULE_NAME)
    vars(module).update(supplied)
    for block in read_document()[0]:
        # Moved down to its own line, so that a traceback points into the document.
        code = compile("\n" * (block.line - 1) + block.runnable, str(GUIDE), "exec")
        exec(code, vars(module))
        if through in block.functions:
            break
    return module


def _globals_of(table: symtable.SymbolTable) -> set[str]:
    names = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module")
    }
    return names.union(*map(_globals_of, table.get_children()))
