"""Films with their questions as a map-style data set, and the collation into B films x N questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from cxrkit.data.batches.balance import AnswerBalance
from cxrkit.data.batches.graphs import FilmGraphs, film_graphs
from cxrkit.data.batches.sampling import (
    TRANSFORM_NUMBERS,
    Variation,
    draw_blank,
    draw_questions,
    draw_transform,
)
from cxrkit.data.batches.selection import Selection
from cxrkit.data.batches.targets import question_targets
from cxrkit.data.films.source import FilmSource, stack_films
from cxrkit.data.index import Index

Tokenize = Callable[[list[str]], dict[str, torch.Tensor]]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FilmBatch:
    """B films with the questions drawn for them, as columns.

    Attributes:
        films: `[B]` positions in the selection.
        image_rows: `[B]` rows of the index's images.
        images: `[B, C, C]` uint8; films of smaller squares than C lie at the top left.
        sides: `[B]` side of each film's square in pixels.
        questions: `[N]` question rows, film by film.
        num_questions: `[B]` how many each film has.
        graphs: the data set's scene graphs of the films; None for films without questions.
        chexpert: `[B, 14]` label values, NaN where blank.
        transforms: `[B, 10]` drawn transforms, zeros for none.
    """

    films: IntArray
    image_rows: IntArray
    images: npt.NDArray[np.uint8]
    sides: npt.NDArray[np.int32]
    questions: IntArray
    num_questions: IntArray
    graphs: FilmGraphs | None
    chexpert: npt.NDArray[np.float32]
    transforms: npt.NDArray[np.float32]


class FilmDataset(Dataset[FilmBatch]):
    """The films of a selection, read a batch at a time; keyed by (epoch, film).

    Nothing in it grows with the number of questions, and a worker process maps index and films itself: it
    is small to send, and what it reads is shared.

    Args:
        index: the opened index.
        store: the films.
        selection: films and questions.
        seed: the run's seed.
        questions_per_image: how many questions to draw per film and epoch; None takes all.
        balance: weights of the questions; None draws evenly.
        variation: what a transform, drawn for each film and epoch, varies; None for none.
        blank_share: share of the films that are shown empty, each film anew in each epoch; their questions
            are drawn evenly, so that they are asked as the data set asks them.
    """

    def __init__(
        self,
        index: Index,
        store: FilmSource,
        selection: Selection,
        *,
        seed: int,
        questions_per_image: int | None,
        balance: AnswerBalance | None = None,
        variation: Variation | None = None,
        blank_share: float = 0.0,
    ) -> None:
        self.index = index
        self.store = store
        self.selection = selection
        self.seed = seed
        self.questions_per_image = questions_per_image
        self.balance = balance
        self.variation = variation
        self.blank_share = blank_share

    def __len__(self) -> int:
        return self.selection.films

    def __getitem__(self, key: tuple[int, int]) -> FilmBatch:
        """Gives a batch of one film."""
        return self.__getitems__([key])

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> FilmBatch:
        """Gives the films of (epoch, film) keys; torch calls it once for a whole batch."""
        films = np.array([film for _, film in keys], dtype=np.int64)
        image_rows = self.selection.image_rows[films]
        blank = self._blank(keys)
        questions, num_questions = self._questions(keys, films, blank)
        images = stack_films(self.store, image_rows.tolist())
        images[blank] = 0
        study = self.index.column("images", "study_row")[image_rows]
        return FilmBatch(
            films=films,
            image_rows=image_rows,
            images=images,
            sides=self.store.side[image_rows],
            questions=questions,
            num_questions=num_questions,
            graphs=self._graphs(image_rows),
            chexpert=self.index.column("studies", "chexpert")[study],
            transforms=self._transforms(keys) * ~blank[:, None],
        )

    def _graphs(self, image_rows: IntArray) -> FilmGraphs | None:
        return None if self.selection.filters is None else film_graphs(self.index, self.store, image_rows)

    def _blank(self, keys: Sequence[tuple[int, int]]) -> npt.NDArray[np.bool_]:
        if not self.blank_share:
            return np.zeros(len(keys), dtype=np.bool_)
        return np.array([draw_blank(self.seed, *key, self.blank_share) for key in keys])

    def _transforms(self, keys: Sequence[tuple[int, int]]) -> npt.NDArray[np.float32]:
        if self.variation is None:
            return np.zeros((len(keys), TRANSFORM_NUMBERS), dtype=np.float32)
        return np.stack([draw_transform(self.seed, *key, self.variation) for key in keys])

    def _questions(
        self, keys: Sequence[tuple[int, int]], films: IntArray, blank: npt.NDArray[np.bool_]
    ) -> tuple[IntArray, IntArray]:
        """Gives the questions drawn for the films, and how many each has."""
        rows, counts = self.selection.question_rows(self.index, films)
        limit = self.questions_per_image
        if limit is None:
            return rows, counts
        weights = np.ones(len(rows))
        if self.balance is not None:
            weights[:] = self.balance.weights(self.index, rows)
            weights[np.repeat(blank, counts)] = 1.0
        ends = np.cumsum(counts)
        drawn = [np.zeros(0, dtype=np.int64)]
        for (epoch, film), start, end in zip(keys, (ends - counts).tolist(), ends.tolist(), strict=True):
            drawn.append(start + draw_questions(self.seed, epoch, film, weights[start:end], limit))
        return rows[np.concatenate(drawn)], np.minimum(counts, limit)


class Collate:
    """Makes one batch: images `[B]`, questions `[N]`, `image_of_question [N]`, equal texts once.

    Args:
        index: the opened index, for targets and texts.
        tokenize: texts to `input_ids` and `attention_mask`, padded to the longest; None leaves questions out.
    """

    def __init__(self, index: Index, tokenize: Tokenize | None) -> None:
        self.index = index
        self.tokenize = tokenize

    def __call__(self, films: FilmBatch) -> dict[str, torch.Tensor]:
        """Gives the tensors of a batch by name."""
        batch: dict[str, npt.NDArray[Any]] = {
            "image_row": films.image_rows,
            "images": films.images,
            "image_side": films.sides,
            "transform": films.transforms,
            "chexpert": films.chexpert,
        }
        if self.tokenize is None:
            return _as_tensors(batch)
        if films.graphs is not None:
            batch |= {
                "node_boxes": films.graphs.boxes_xyxy_rel,
                "node_has_box": films.graphs.has_box,
                "node_findings": films.graphs.findings,
                "graph_valid": films.graphs.valid,
            }
        batch["question_row"] = films.questions
        batch["image_of_question"] = np.repeat(np.arange(len(films.films)), films.num_questions)
        batch |= question_targets(self.index, films.questions)
        text_of_row = self.index.column("questions", "question_text")[films.questions]
        ids, batch["text_of_question"] = np.unique(text_of_row, return_inverse=True)
        return _as_tensors(batch) | self.tokenize([self.index.text(row) for row in ids.tolist()])


def _as_tensors(batch: dict[str, npt.NDArray[Any]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in batch.items()}
