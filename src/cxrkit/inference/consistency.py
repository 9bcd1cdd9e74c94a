"""Questions whose answers must agree with each other, whatever the truth: asked of every film of a split.

Whether the film, and each of the 26 regions, is abnormal, and whether it is normal; and whether each region
is abnormal once more, with the film mirrored. The texts are the training split's own, so that a model is
asked nothing it has not met. No reference answer is needed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from cxrkit.data.index import Index
from cxrkit.inference.collecting import CollectedRows
from cxrkit.inference.predictor import Predictor
from cxrkit.inference.schema import CONSISTENCY_SCHEMA, with_metadata
from cxrkit.models.nodes import DataSetGraph
from cxrkit.models.outputs import EncodedImages
from cxrkit.vocabulary import ANSWER_HEADS, QUESTION_TYPE_NAMES, REGIONS, SPLITS, Head
from cxrkit.vocabulary.regions import mirrored_region
from cxrkit.vocabulary.text_mentions import regions_in_text

FloatArray = npt.NDArray[np.float32]
# The film as a whole, then the 26 regions.
PLACES: tuple[str, ...] = ("film", *REGIONS)
_TYPES_OF_FILM = {"abnormal": "B03_is_abnormal", "normal": "B04_is_normal"}
_TYPES_OF_REGION = {"abnormal": "C03_is_abnormal_region", "normal": "C04_is_normal_region"}
_SIDES = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}
_SIDE = re.compile(r"\b(" + "|".join(_SIDES) + r")\b")


@dataclass(frozen=True)
class ConsistencyQuestions:
    """The texts that are asked.

    Attributes:
        abnormal: text by place of `PLACES`, for those that the training questions name.
        normal: likewise.
    """

    abnormal: Mapping[int, str]
    normal: Mapping[int, str]

    @classmethod
    def of_index(cls, index: Index) -> "ConsistencyQuestions":
        """Takes the commonest text of the training split for the film and for each region named alone.

        Both sides of a pair of organs are asked in the same words.
        """
        found = {}
        for kind, of_film in _TYPES_OF_FILM.items():
            asked = _commonest(_training_texts(index, of_film))
            found[kind] = {0: asked} if asked is not None else {}
            found[kind] |= _region_texts(_training_texts(index, _TYPES_OF_REGION[kind]))
        return cls(**found)


def _training_texts(index: Index, question_type: str) -> dict[str, int]:
    """Counts the texts of a type in the training split."""
    number = QUESTION_TYPE_NAMES.index(question_type)
    rows = np.flatnonzero(index.column("questions", "question_type") == number)
    split = index.column("studies", "split")[index.column("questions", "study_row")[rows]]
    texts = index.column("questions", "question_text")[rows[split == SPLITS.index("train")]]
    different, counts = np.unique(texts, return_counts=True)
    stored = index.texts.column("text")
    return {str(stored[int(text)].as_py()): int(count) for text, count in zip(different, counts, strict=True)}


def _commonest(texts: Mapping[str, int]) -> str | None:
    return min(texts, key=lambda text: (-texts[text], text)) if texts else None


def _region_texts(texts: Mapping[str, int]) -> dict[int, str]:
    of_region: dict[int, dict[str, int]] = {}
    for text, count in texts.items():
        named = regions_in_text(text)
        if len(named) == 1:
            of_region.setdefault(named[0], {})[text] = count
    asked = {region: _commonest(found) for region, found in sorted(of_region.items())}
    for region in sorted(of_region):
        # One side's words are the other's with the side exchanged.
        other = mirrored_region(region)
        if other > region or other not in of_region:
            asked[other] = exchange_sides(str(asked[region])) if other != region else asked[region]
    return {1 + region: str(text) for region, text in sorted(asked.items())}


def exchange_sides(text: str) -> str:
    """Gives the text about the other side.

    >>> exchange_sides("Is the left lung normal?")
    'Is the right lung normal?'
    """
    return _SIDE.sub(lambda match: _SIDES[match.group(1)], text)


class ConsistencyRows:
    """Asks the questions of films as they come, and collects one row per film.

    Args:
        predictor: the model.
        index: the opened index.
        source: where the model's scene graph comes from.
    """

    def __init__(self, predictor: Predictor, index: Index, source: str) -> None:
        self.predictor = predictor
        self.index = index
        self.source = source
        self.asked = ConsistencyQuestions.of_index(index)
        self.rows = CollectedRows()
        kinds = {"is_abnormal": self.asked.abnormal, "is_normal": self.asked.normal}
        self._places = {name: list(texts) for name, texts in kinds.items()}
        self._encoded = {name: predictor.read(list(texts.values())) for name, texts in kinds.items() if texts}

    def add(self, batch: Mapping[str, Tensor], features: Tensor, given: DataSetGraph | None) -> None:
        """Asks about the films of a batch.

        Args:
            batch: from `Collate`.
            features: `[B, C, h, w]` of its films.
            given: the data set's graph, for a model that reads it.
        """
        encoded = self.predictor.encode(features, self.source, given)
        films = len(features)
        answers = {name: self._ask(name, encoded, films) for name in self._places}
        mirrored = np.full((films, len(PLACES)), np.nan, np.float32)
        # The data set's graph of a mirrored film is not known.
        if given is None:
            sides = batch["image_side"]
            shown = self.predictor.features(mirror_films(batch["images"], sides), sides)
            mirrored = self._ask("is_abnormal", self.predictor.encode(shown, self.source), films)
        for film, image_row in enumerate(batch["image_row"].tolist()):
            self.rows.add(
                {
                    "subject_id": int(self.index.column("images", "subject_id")[image_row]),
                    "study_id": int(self.index.column("images", "study_id")[image_row]),
                    "dicom_id": self.index.images.column("dicom_id")[image_row].as_py(),
                    **{name: values[film] for name, values in answers.items()},
                    "is_abnormal_mirrored": mirrored[film],
                },
                CONSISTENCY_SCHEMA,
            )

    def _ask(self, name: str, encoded: EncodedImages, films: int) -> FloatArray:
        """Gives the probability of yes `[B, 27]`; NaN where there is no text."""
        values = np.full((films, len(PLACES)), np.nan, np.float32)
        places = self._places[name]
        if places:
            asked = torch.arange(len(places), device=self._encoded[name].words.device).repeat(films)
            films_asked = torch.arange(films).repeat_interleave(len(places))
            answers = self.predictor.answer(encoded, films_asked, self._encoded[name].rows(asked))
            yes = answers.probabilities[ANSWER_HEADS.index(Head.BINARY)][:, 1]
            values[:, places] = yes.reshape(films, len(places))
        return values

    def table(self, metadata: Mapping[str, Any]) -> pa.Table:
        """Gives all rows as a table, the texts in its metadata."""
        texts = {
            kind: {PLACES[place]: text for place, text in found.items()}
            for kind, found in (("is_abnormal", self.asked.abnormal), ("is_normal", self.asked.normal))
        }
        return with_metadata(
            self.rows.table(CONSISTENCY_SCHEMA),
            {**metadata, "task": "vqa_consistency", "consistency_questions": texts},
        )


def mirror_films(images: Tensor, sides: Tensor) -> Tensor:
    """Exchanges left and right of each film within its own square, which lies at the top left.

    Args:
        images: `[B, S, S]`.
        sides: `[B]` side of each film's square in pixels.
    """
    mirrored = images.clone()
    for place, side in enumerate(sides.tolist()):
        mirrored[place, :, :side] = images[place, :, :side].flip(-1)
    return mirrored
