"""Probabilities of the 14 findings per study: the mean over its films."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cxrkit.config import ClassifySettings
from cxrkit.data.batches.dataset import Collate, FilmDataset
from cxrkit.data.batches.loading import labelled_films, make_loader
from cxrkit.data.batches.sampling import TRANSFORM_NUMBERS
from cxrkit.data.batches.transforms import prepare_images
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.models.classifier import CXRClassifier

Progress = Callable[[str, int, int], None]
FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

CONDITIONS = ("model", "blank_image", "majority")
FILMS_PER_BATCH = 16


@dataclass(frozen=True)
class StudyScores:
    """The studies of a split under one condition.

    Attributes:
        study_rows: `[N]` rows of the index's studies, ascending.
        films: of each study, rows of the index's images.
        labels: `[N, 14]` CheXpert labels: 1, 0, -1, NaN for blank.
        probabilities: `[N, 14]`.
    """

    study_rows: IntArray
    films: list[IntArray]
    labels: FloatArray
    probabilities: FloatArray


@dataclass
class StudyScorer:
    """Scores the studies of splits under each condition; films are read once per split and condition.

    Attributes:
        model: on its device.
        index: the opened index.
        store: the films.
        settings: whose data section says what is read.
        progress: called with (stage, films done, films).
    """

    model: CXRClassifier
    index: Index
    store: FilmSource
    settings: ClassifySettings
    progress: Progress | None = None
    _done: dict[tuple[str, str], StudyScores] = field(default_factory=dict)

    def scores(self, split: str, condition: str) -> StudyScores:
        """Gives the scores of a split.

        Args:
            split: `train`, `validate` or `test`.
            condition: one of `CONDITIONS`.

        Raises:
            DataLayoutError: no labelled film in the split.
        """
        if (split, condition) not in self._done:
            films = self._films(split)
            if condition == "model":
                probabilities = self._run(films, split)
            else:
                same = (
                    self._share_of_positives() if condition == "majority" else self._of_an_empty_film(films)
                )
                probabilities = np.tile(same, (len(films), 1))
            self._done[split, condition] = _by_study(films, probabilities)
        return self._done[split, condition]

    def _films(self, split: str) -> FilmDataset:
        return labelled_films(
            self.index, self.store, self.settings.data, split, seed=self.settings.training.seed
        )

    def _share_of_positives(self) -> FloatArray:
        films = self._films("train")
        study = self.index.column("images", "study_row")[films.selection.image_rows]
        labels: FloatArray = self.index.column("studies", "chexpert")[study]
        share: FloatArray = np.mean(labels == 1, axis=0, dtype=np.float32)
        return share

    def _of_an_empty_film(self, films: FilmDataset) -> FloatArray:
        """Gives what the model says of an empty film, `[14]`, once for all.

        Scored in several batches, equal films would differ in their last digits and have an order.
        """
        batch = next(iter(self._batches(films)))
        empty = torch.zeros_like(batch["images"][:1])
        first: FloatArray = self._probabilities(empty, batch["image_side"][:1])[0]
        return first

    def _run(self, films: FilmDataset, split: str) -> FloatArray:
        parts, done = [], 0
        for batch in self._batches(films):
            parts.append(self._probabilities(batch["images"], batch["image_side"]))
            done += len(batch["images"])
            if self.progress is not None:
                self.progress(f"classifying the {split} split", done, len(films))
        return np.concatenate(parts)

    def _batches(self, films: FilmDataset) -> Iterable[Any]:
        collate = Collate(self.index, None)
        return make_loader(films, collate, batch_size=FILMS_PER_BATCH, workers=0, shuffle=False)

    @torch.no_grad()
    def _probabilities(self, images: Tensor, sides: Tensor) -> FloatArray:
        config, device = self.model.config, self.model.device
        prepared = prepare_images(
            images.to(device),
            torch.zeros(len(images), TRANSFORM_NUMBERS, device=device),
            config.image_size,
            list(config.image_mean),
            list(config.image_std),
            sides.to(device),
        )
        probabilities: FloatArray = self.model(prepared).float().sigmoid().cpu().numpy()
        return probabilities


def _by_study(films: FilmDataset, probabilities: FloatArray) -> StudyScores:
    image_rows, index = films.selection.image_rows, films.index
    study_rows, of_film = np.unique(index.column("images", "study_row")[image_rows], return_inverse=True)
    own = [np.flatnonzero(of_film == place) for place in range(len(study_rows))]
    return StudyScores(
        study_rows=study_rows.astype(np.int64),
        films=[image_rows[rows] for rows in own],
        labels=index.column("studies", "chexpert")[study_rows],
        # In float64 the mean of equal probabilities is that probability: no order among studies of a control.
        probabilities=np.stack(
            [probabilities[rows].mean(0, dtype=np.float64) for rows in own], dtype=np.float32
        ),
    )
