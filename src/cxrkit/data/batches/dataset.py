"""Films with their questions as a map-style data set, and the collation into B films x N questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from cxrkit.data.batches.sampling import draw_questions, draw_transform
from cxrkit.data.batches.selection import Selection
from cxrkit.data.batches.targets import FilmGraph, film_graph, question_targets
from cxrkit.data.image_store import ImageStore
from cxrkit.data.index import Index

Tokenize = Callable[[list[str]], dict[str, torch.Tensor]]


@dataclass(frozen=True)
class FilmSample:
    """One film with the questions drawn for it.

    Attributes:
        film: position in the selection.
        image_row: row of the index's images.
        image: `[S, S]` uint8.
        questions: `[K]` question rows.
        graph: the data set's scene graph of the film.
        chexpert: `[14]` label values, NaN where blank.
        transform: `[6]` drawn transform, zeros for none.
    """

    film: int
    image_row: int
    image: npt.NDArray[np.uint8]
    questions: npt.NDArray[np.int64]
    graph: FilmGraph
    chexpert: npt.NDArray[np.float32]
    transform: npt.NDArray[np.float32]


class FilmDataset(Dataset[FilmSample]):
    """The films of a selection; keyed by (epoch, film).

    Args:
        index: the opened index.
        store: the opened image store.
        selection: films and questions.
        seed: the run's seed.
        questions_per_image: how many questions to draw per film and epoch; None takes all.
        question_weights: `[Q]` sampling weight of each question of the selection; None draws evenly.
        augment: draw a transform for each film and epoch.
    """

    def __init__(
        self,
        index: Index,
        store: ImageStore,
        selection: Selection,
        *,
        seed: int,
        questions_per_image: int | None,
        question_weights: npt.NDArray[np.float64] | None = None,
        augment: bool = False,
    ) -> None:
        self.index = index
        self.store = store
        self.selection = selection
        self.seed = seed
        self.questions_per_image = questions_per_image
        self.question_weights = question_weights
        self.augment = augment

    def __len__(self) -> int:
        return self.selection.films

    def __getitem__(self, key: tuple[int, int]) -> FilmSample:
        epoch, film = key
        image_row = int(self.selection.image_rows[film])
        study = int(self.index.column("images", "study_row")[image_row])
        return FilmSample(
            film=film,
            image_row=image_row,
            image=self.store.read(image_row),
            questions=self._questions(epoch, film),
            graph=film_graph(self.index, self.store, image_row),
            chexpert=self.index.column("studies", "chexpert")[study],
            transform=draw_transform(self.seed, epoch, film)
            if self.augment
            else np.zeros(6, dtype=np.float32),
        )

    def _questions(self, epoch: int, film: int) -> npt.NDArray[np.int64]:
        span = slice(int(self.selection.first[film]), int(self.selection.first[film + 1]))
        rows = self.selection.questions[span]
        if self.questions_per_image is None:
            return rows
        weights = np.ones(len(rows)) if self.question_weights is None else self.question_weights[span]
        return rows[draw_questions(self.seed, epoch, film, weights, self.questions_per_image)]


class Collate:
    """Makes one batch: images `[B]`, questions `[N]`, `image_of_question [N]`, equal texts once.

    Args:
        index: the opened index, for targets and texts.
        tokenize: texts to `input_ids` and `attention_mask`, padded to the longest; None leaves questions out.
    """

    def __init__(self, index: Index, tokenize: Tokenize | None) -> None:
        self.index = index
        self.tokenize = tokenize

    def __call__(self, samples: Sequence[FilmSample]) -> dict[str, torch.Tensor]:
        """Gives the tensors of a batch by name."""
        batch: dict[str, Any] = {
            "image_row": np.array([sample.image_row for sample in samples]),
            "images": np.stack([sample.image for sample in samples]),
            "transform": np.stack([sample.transform for sample in samples]),
            "chexpert": np.stack([sample.chexpert for sample in samples]),
        }
        if self.tokenize is None:
            return _as_tensors(batch)
        batch |= _collate_graphs([sample.graph for sample in samples])
        rows = np.concatenate([sample.questions for sample in samples])
        lengths = [len(sample.questions) for sample in samples]
        batch["question_row"] = rows
        batch["image_of_question"] = np.repeat(np.arange(len(samples)), lengths)
        batch |= question_targets(self.index, rows)
        ids, inverse = np.unique(self.index.column("questions", "question_text")[rows], return_inverse=True)
        batch["text_of_question"] = inverse
        texts = self.index.texts.column("text")
        return _as_tensors(batch) | self.tokenize([texts[int(row)].as_py() for row in ids])


def _collate_graphs(graphs: Sequence[FilmGraph]) -> dict[str, npt.NDArray[np.generic]]:
    return {
        "node_boxes": np.stack([graph.boxes_xyxy_rel for graph in graphs]),
        "node_has_box": np.stack([graph.has_box for graph in graphs]),
        "node_findings": np.stack([graph.findings for graph in graphs]),
        "graph_valid": np.array([graph.valid for graph in graphs]),
    }


def _as_tensors(batch: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in batch.items()}
