"""What answers say beside their text, decoded once for all answers that say the same in the same bytes."""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from cxrkit.data.index.decoded_once import DecodedOnce
from cxrkit.data.index.targets import all_bits, entity_bits, joint_polarity, region_bits
from cxrkit.data.qba.records import Answer, Modifiers, Regions, SubAnswer, region_names
from cxrkit.data.qba.vocabularies import NameTable

# answer_type, positiveness, then the undecoded regions, entities, modifiers and nested answers.
TagKey = tuple[str | None, str | None, bytes, bytes, bytes, bytes]
_Part = TypeVar("_Part")


@dataclass(slots=True)
class AnswerTags:
    """The tags of some answers.

    Attributes:
        answer: the decoded tags; text, boxes and quality are not among them.
        is_main: a top-level main answer; a missing type counts as main.
        node_bits: bits of the 26 regions that the answer names.
        unmapped_entities: entity names that no table maps, as often as mentioned.
        unmapped_regions: likewise region names.
        noted: its names are in the vocabularies.
    """

    answer: Answer
    is_main: bool
    node_bits: int
    unmapped_entities: list[str]
    unmapped_regions: list[str]
    noted: bool = False

    def note_names(self, names: dict[str, NameTable]) -> None:
        """Appends names that are new to the vocabularies."""
        self.noted = True
        for entity in self.answer.obs_entities or ():
            names["entities"].find(entity)
        for region in region_names(self.answer.regions):
            names["regions"].find(region)


class AnswerForm(NamedTuple):
    """What the top-level answers of some questions say.

    Attributes:
        number: counts up in the order in which forms were met.
        tags: of each answer.
        main: positions of the main answers.
        joint: joint polarity of the main answers.
    """

    number: int
    tags: tuple[AnswerTags, ...]
    main: tuple[int, ...]
    joint: int


class TagTable:
    """All different tags, and all different sequences of them, that were met.

    Attributes:
        known: number of each tag by its bytes.
        rows: all tags.
        forms: all sequences of tags, by the tags' numbers.
    """

    def __init__(self) -> None:
        self.known: dict[TagKey, int] = {}
        self.rows: list[AnswerTags] = []
        self.forms: dict[tuple[int, ...], AnswerForm] = {}
        # Tags are many, for they are combinations; their parts are few.
        self._places = DecodedOnce(_read_places, Regions | None)
        self._names = DecodedOnce(_read_entities, list[str] | None)
        self._modifiers = DecodedOnce(_as_it_is, Modifiers | None)
        self._nested = DecodedOnce(_as_it_is, list[SubAnswer] | None)

    def add(self, key: TagKey) -> int:
        """Decodes tags that are not known yet and gives their number.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: a part is not as documented.
        """
        kind, positiveness, regions, entities, modifiers, nested = key
        places, named = self._places.find(regions), self._names.find(entities)
        answer = Answer(
            kind,
            None,
            places.regions,
            named.names,
            positiveness,
            self._modifiers.find(modifiers),
            None,
            self._nested.find(nested),
        )
        is_main = kind in (None, "main_answer")
        tags = AnswerTags(answer, is_main, places.node_bits, named.unmapped, places.unmapped)
        number = self.known[key] = len(self.rows)
        self.rows.append(tags)
        return number

    def form(self, numbers: tuple[int, ...]) -> AnswerForm:
        """Gives the form of some answers by the numbers of their tags."""
        form = self.forms.get(numbers)
        if form is None:
            tags = tuple(self.rows[number] for number in numbers)
            main = tuple(place for place, entry in enumerate(tags) if entry.is_main)
            joint = joint_polarity([tags[place].answer for place in main])
            form = self.forms[numbers] = AnswerForm(len(self.forms), tags, main, joint)
        return form


class _Places(NamedTuple):
    """Decoded regions: their names' bits of the 26, and the names that no table maps."""

    regions: Regions | None
    node_bits: int
    unmapped: list[str]


class _Entities(NamedTuple):
    """Decoded entities, and the names that no table maps."""

    names: list[str] | None
    unmapped: list[str]


def _read_places(regions: Regions | None) -> _Places:
    names = region_names(regions)
    return _Places(regions, all_bits(names, region_bits), [name for name in names if not region_bits(name)])


def _read_entities(names: list[str] | None) -> _Entities:
    return _Entities(names, [name for name in names or () if not entity_bits(name)])


def _as_it_is(value: _Part) -> _Part:
    return value
