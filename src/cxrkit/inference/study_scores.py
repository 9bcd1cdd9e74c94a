"""Probabilities of the 14 findings per study: the mean over its films."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from cxrkit.config import ClassifySettings
from cxrkit.data.batches.dataset import Collate, FilmDataset
from cxrkit.data.batches.loading import labelled_films, make_loader
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
            if condition == "majority":
                probabilities = np.tile(self._share_of_positives(), (len(films), 1))
            else:
                probabilities = self._run(films, split, is_blank=condition == "blank_image")
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

    @torch.no_grad()
    def _run(self, films: FilmDataset, split: str, *, is_blank: bool) -> FloatArray:
        config, device, parts, done = self.model.config, self.model.device, [], 0
        collate = Collate(self.index, None)
        loader = make_loader(films, collate, batch_size=FILMS_PER_BATCH, workers=0, shuffle=False)
        for batch in loader:
            images = batch["images"].to(device)
            prepared = prepare_images(
                torch.zeros_like(images) if is_blank else images,
                torch.zeros_like(batch["transform"], device=device),
                config.image_size,
                list(config.image_mean),
                list(config.image_std),
                batch["image_side"].to(device),
            )
            parts.append(self.model(prepared).float().sigmoid().cpu().numpy())
            done += len(images)
            if self.progress is not None:
                stage = f"{split}: {'empty films' if is_blank else 'films'}"
                self.progress(stage, done, len(films))
        return np.concatenate(parts)


def _by_study(films: FilmDataset, probabilities: FloatArray) -> StudyScores:
    image_rows, index = films.selection.image_rows, films.index
    study_rows, of_film = np.unique(index.column("images", "study_row")[image_rows], return_inverse=True)
    own = [np.flatnonzero(of_film == place) for place in range(len(study_rows))]
    return StudyScores(
        study_rows=study_rows.astype(np.int64),
        films=[image_rows[rows] for rows in own],
        labels=index.column("studies", "chexpert")[study_rows],
        probabilities=np.stack([probabilities[rows].mean(0) for rows in own]),
    )
