"""Counts of what went into the index, kept while it is written."""

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

from cxrkit.vocabulary import QUESTION_TYPE_NAMES, SPLITS

RATINGS = ("0_U", "1_D", "2_C", "3_B", "4_A", "5_A+", "6_A++")


@dataclass
class IndexCounts:
    """Counters over split indices and names.

    Attributes:
        patients: patients by split.
        studies: studies by split.
        images: accepted films by split.
        questions: questions by split.
        question_types: questions by (type index, split).
        views: films by view name.
        ratings: questions by rating 0..6.
        masked: questions without a usable target, by head.
        unmapped_regions: region names that no table maps, by number of mentions.
        unmapped_entities: entity names that no table maps, by number of mentions.
        yes_no_disagreements: yes/no questions whose leading word contradicts the polarity.
        cross_checks: questions and observations that the scene graph contradicts.
        dropped_boxes: boxes on films that were not accepted.
    """

    patients: Counter[int] = field(default_factory=Counter)
    studies: Counter[int] = field(default_factory=Counter)
    images: Counter[int] = field(default_factory=Counter)
    questions: Counter[int] = field(default_factory=Counter)
    question_types: Counter[tuple[int, int]] = field(default_factory=Counter)
    views: Counter[str] = field(default_factory=Counter)
    ratings: Counter[int] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    unmapped_regions: Counter[str] = field(default_factory=Counter)
    unmapped_entities: Counter[str] = field(default_factory=Counter)
    yes_no_disagreements: int = 0
    cross_checks: Counter[str] = field(default_factory=Counter)
    dropped_boxes: int = 0

    def add(self, other: "IndexCounts") -> None:
        """Adds the counts of another part of the index."""
        for entry in fields(self):
            setattr(self, entry.name, getattr(self, entry.name) + getattr(other, entry.name))

    def pack(self) -> dict[str, Any]:
        """Gives the counts as numbers and lists of (key, number), which any format can hold."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {
            name: list(value.items()) if isinstance(value, Counter) else value
            for name, value in values.items()
        }

    @classmethod
    def unpack(cls, packed: dict[str, Any]) -> "IndexCounts":
        """Gives back the counts of `pack`."""
        unpacked: dict[str, Any] = {name: _unpacked(value) for name, value in packed.items()}
        return cls(**unpacked)

    def as_json(self) -> dict[str, object]:
        """Gives the `counts` of `fingerprint.json`, without the rejects."""
        types = sorted({kind for kind, _ in self.question_types})
        return {
            "patients": by_split(self.patients),
            "studies": by_split(self.studies),
            "images": by_split(self.images),
            "questions": by_split(self.questions),
            "questions_by_type": {
                QUESTION_TYPE_NAMES[kind]: by_split(
                    Counter({split: self.question_types[kind, split] for split in range(len(SPLITS))})
                )
                for kind in types
            },
            "views": dict(sorted(self.views.items())),
            "ratings": {name: self.ratings[rating] for rating, name in enumerate(RATINGS)},
            "masked": dict(sorted(self.masked.items())),
            "unmapped_regions": dict(sorted(self.unmapped_regions.items())),
            "unmapped_entities": dict(sorted(self.unmapped_entities.items())),
            "yes_no_disagreements": self.yes_no_disagreements,
            "cross_checks": dict(sorted(self.cross_checks.items())),
            "dropped_boxes": self.dropped_boxes,
        }


def _unpacked(value: int | list[tuple[Any, int]]) -> int | Counter[Any]:
    if isinstance(value, int):
        return value
    return Counter({tuple(key) if isinstance(key, list) else key: number for key, number in value})


def by_split(counter: Counter[int]) -> dict[str, int]:
    """Gives counts by split name, and the total.

    >>> by_split(Counter({0: 5, 2: 1}))
    {'train': 5, 'validate': 0, 'test': 1, 'total': 6}
    """
    return {name: counter[split] for split, name in enumerate(SPLITS)} | {"total": counter.total()}
