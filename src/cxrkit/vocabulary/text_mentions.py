"""Which findings and regions a text names, by whole words; the longest name wins."""

import re
from collections.abc import Iterable

from cxrkit.vocabulary.findings import FINDING_INDEX, NO_FINDING, entity_names, finding_of_entity
from cxrkit.vocabulary.regions import REGIONS, names_of_region, regions_of_name

# What people write beside the names of the data sets.
_SPOKEN = {
    "enlarged cardiac": "Cardiomegaly",
    "heart enlarged": "Cardiomegaly",
    "cardiac enlargement": "Cardiomegaly",
    "pleural fluid": "Pleural Effusion",
    "collapsed lung": "Pneumothorax",
    "airspace disease": "Lung Opacity",
    "medical devices": "Support Devices",
    "foreign bodies": "Support Devices",
    "hardware": "Support Devices",
}


def findings_in_text(text: str) -> tuple[int, ...]:
    """Gives the indices in `FINDINGS` that a text names, in order; "No Finding" only where nothing else is.

    Negation is not read: "no effusion" names the effusion.

    >>> findings_in_text("Is there a small left pleural effusion?") == (FINDING_INDEX["Pleural Effusion"],)
    True
    >>> findings_in_text("Which organ is this?")
    ()
    """
    named: set[int] = set()
    for name in _names_in(text, _FINDING_PATTERN):
        index = _FINDING_OF_NAME[name]
        named.add(index)
    return tuple(sorted(named - {NO_FINDING})) or tuple(sorted(named))


def regions_in_text(text: str) -> tuple[int, ...]:
    """Gives the indices in `REGIONS` that a text names, in order; a pair of organs counts as both sides.

    >>> [REGIONS[i] for i in regions_in_text("Is the left lung clear?")]
    ['left lung']
    """
    named = {index for name in _names_in(text, _REGION_PATTERN) for index in regions_of_name(name)}
    return tuple(sorted(named))


def _names_in(text: str, pattern: re.Pattern[str]) -> list[str]:
    words = " ".join(re.sub(r"[^a-z/\- ]", " ", text.lower()).split())
    found = (match.group(1) for match in pattern.finditer(words))
    return [name for name in found if name]


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return re.compile(r"\b(" + "|".join(map(re.escape, longest_first)) + r")(?:es|s)?\b")


def _finding_names() -> dict[str, int]:
    names = {name: index for name in entity_names() if (index := finding_of_entity(name)) is not None}
    names |= {name.lower(): index for name, index in FINDING_INDEX.items()}
    return names | {name: FINDING_INDEX[finding] for name, finding in _SPOKEN.items()}


_FINDING_OF_NAME = _finding_names()
_FINDING_PATTERN = _pattern(_FINDING_OF_NAME)
_REGION_PATTERN = _pattern({name for index in range(len(REGIONS)) for name in names_of_region(index)})
