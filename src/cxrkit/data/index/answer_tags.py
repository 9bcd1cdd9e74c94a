"""What answers say beside their text, decoded once for all answers that say the same in the same bytes."""

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from cxrkit.data.index.targets import all_bits, entity_bits, region_bits
from cxrkit.data.qba.records import Answer, Modifiers, Regions, SubAnswer, region_names
from cxrkit.data.qba.vocabularies import NameTable

# answer_type, positiveness, then the undecoded regions, entities, modifiers and nested answers.
TagKey = tuple[str | None, str | None, bytes, bytes, bytes, bytes]


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
        if not self.noted:
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
    """

    number: int
    tags: tuple[AnswerTags, ...]
    main: tuple[int, ...]


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
        self._regions = msgspec.json.Decoder(Regions | None)
        self._names = msgspec.json.Decoder(list[str] | None)
        self._modifiers = msgspec.json.Decoder(Modifiers | None)
        self._nested = msgspec.json.Decoder(list[SubAnswer] | None)

    def add(self, key: TagKey) -> int:
        """Decodes tags that are not known yet and gives their number.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: a part is not as documented.
        """
        kind, positiveness, regions, entities, modifiers, nested = key
        answer = Answer(
            answer_type=kind,
            positiveness=positiveness,
            regions=self._regions.decode(regions),
            obs_entities=self._names.decode(entities),
            modifiers=self._modifiers.decode(modifiers),
            sub_answers=self._nested.decode(nested),
        )
        named = region_names(answer.regions)
        self.rows.append(
            AnswerTags(
                answer=answer,
                is_main=kind in (None, "main_answer"),
                node_bits=all_bits(named, region_bits),
                unmapped_entities=[name for name in answer.obs_entities or () if not entity_bits(name)],
                unmapped_regions=[name for name in named if not region_bits(name)],
            )
        )
        number = self.known[key] = len(self.rows) - 1
        return number

    def form(self, numbers: tuple[int, ...]) -> AnswerForm:
        """Gives the form of some answers by the numbers of their tags."""
        form = self.forms.get(numbers)
        if form is None:
            tags = tuple(self.rows[number] for number in numbers)
            main = tuple(place for place, entry in enumerate(tags) if entry.is_main)
            form = self.forms[numbers] = AnswerForm(len(self.forms), tags, main)
        return form
