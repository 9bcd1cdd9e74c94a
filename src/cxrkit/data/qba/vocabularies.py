"""The open vocabularies (310 regions, some 230 entities, ...): read from `dataset_info.json` by content.

The key names of that file are not public, so a list is recognised by names that it must contain. Names
that occur in the files but not in the list are appended in the order in which they are met.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from cxrkit.data.rejects import Reject, RejectLog
from cxrkit.errors import DataLayoutError

logger = logging.getLogger(__name__)

_MARKS: dict[str, frozenset[str]] = {
    "regions": frozenset({"left lung", "right lung"}),
    "entities": frozenset({"consolidation", "pleural effusion", "pneumothorax"}),
    "categories": frozenset({"DISEASE", "ANATOMICAL_FINDING"}),
    "subcategories": frozenset({"LUNG_FIELD", "INFECTION", "PULMONARY_DISEASES"}),
}
KINDS = tuple(_MARKS)
# The index stores a name as a 16-bit number; the released lists hold a few hundred.
NAME_LIMIT = 2**15 - 1


@dataclass
class NameTable:
    """Names with their numbers; new names are appended.

    Attributes:
        number: number of each name.
        source: `dataset_info.json` or `files`.
        appended: how many names were met that the source did not list.
        kind: one of `KINDS`, for messages.
    """

    number: dict[str, int] = field(default_factory=dict)
    source: str = "files"
    appended: int = 0
    kind: str = "names"

    def find(self, name: str) -> int:
        """Gives the number of a name, appending it when it is new.

        Raises:
            DataLayoutError: there are more names than the index can number.
        """
        number = self.number.get(name)
        if number is None:
            number = self.number[name] = len(self.number)
            self.appended += 1
            self.check_length()
        return number

    def check_length(self) -> None:
        """Returns when every name has a number that fits the index; else raises as `find` does."""
        if len(self.number) > NAME_LIMIT:
            raise DataLayoutError(
                f"there are too many different {self.kind}",
                expected=f"at most {NAME_LIMIT:,} names; the release has a few hundred",
                found=f"{len(self.number):,} in {self.source}",
                next_step="use MIMIC-Ext-CXR-QBA as released; names made up per study cannot be a vocabulary",
            )


def read_vocabularies(path: Path | None, rejects: RejectLog) -> dict[str, NameTable]:
    """Reads what `dataset_info.json` lists; a missing or unreadable file gives empty tables.

    Args:
        path: the file, or None.
        rejects: takes `malformed_json` when it is no JSON.

    Returns:
        A table for each of `KINDS`.

    Raises:
        DataLayoutError: a list is longer than the index can number.
    """
    tables = {kind: NameTable(kind=kind) for kind in KINDS}
    if path is None:
        return tables
    try:
        content = msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        logger.warning("%s is not JSON; vocabularies are learned from the files", path)
        rejects.add(Reject("malformed_json", "member", where=path.name))
        return tables
    lists = list(_name_lists(content))
    for kind, table in tables.items():
        best = _best_list(lists, _MARKS[kind])
        if best:
            table.number = {name: number for number, name in enumerate(dict.fromkeys(best))}
            table.source = path.name
            table.check_length()
        else:
            logger.warning("%s lists no %s; they are learned from the files", path, kind)
    return tables


def _best_list(lists: list[list[str]], marks: frozenset[str]) -> list[str]:
    """Takes the longest list that contains a mark: a sub-list of one category contains some too."""
    matching = [names for names in lists if not marks.isdisjoint(names)]
    return max(matching, key=len, default=[])


def _name_lists(content: object) -> Iterator[list[str]]:
    """Gives every list of names in nested JSON: lists of text or named objects, keys or values of dicts."""
    if isinstance(content, list):
        named = [item.get("name") if isinstance(item, dict) else item for item in content]
        yield [name for name in named if isinstance(name, str)]
        children: list[object] = content
    elif isinstance(content, dict):
        yield [key for key in content if isinstance(key, str)]
        yield [value for value in content.values() if isinstance(value, str)]
        children = list(content.values())
    else:
        return
    for child in children:
        yield from _name_lists(child)
