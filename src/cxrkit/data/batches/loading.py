"""From settings to data sets of films and questions, and to the loaders that feed a network."""

import gc
import os
import signal
import threading
from typing import Any, cast

import numpy as np
import torch
from torch.utils.data import DataLoader

from cxrkit.config import DataSettings, minimum_rating
from cxrkit.data.batches.balance import AnswerBalance
from cxrkit.data.batches.dataset import Collate, FilmBatch, FilmDataset
from cxrkit.data.batches.sampling import EpochSampler, Variation
from cxrkit.data.batches.selection import Filters, Selection, select_films, select_questions
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.errors import DataLayoutError


def filters_of(settings: DataSettings) -> Filters:
    """Gives the filters that the settings ask for."""
    return Filters(
        view_filter=settings.view_filter,
        minimum_rating=minimum_rating(settings.quality_grade),
        question_types=settings.question_types,
        max_samples=settings.max_samples,
    )


def _variation(settings: DataSettings) -> Variation | None:
    return Variation(settings.erased_share, settings.vary_intensity) if settings.augment else None


def training_films(index: Index, store: FilmSource, settings: DataSettings, seed: int) -> FilmDataset:
    """Gives every matching film of the training split, questions drawn anew in each epoch."""
    selection = select_questions(index, "train", filters_of(settings), one_film_per_study=False)
    balanced = settings.question_sampling == "balanced"
    return FilmDataset(
        index,
        store,
        selection,
        seed=seed,
        questions_per_image=settings.questions_per_image,
        balance=AnswerBalance.count(index, selection.parts(index)) if balanced else None,
        variation=_variation(settings),
        blank_share=settings.blank_image_share,
    )


def evaluation_films(
    index: Index,
    store: FilmSource,
    settings: DataSettings,
    split: str,
    *,
    questions_per_image: int | None,
    seed: int,
) -> FilmDataset:
    """Gives one film of each study of a split.

    Args:
        index: the opened index.
        store: the opened image store.
        settings: the data section.
        split: `train`, `validate` or `test`.
        questions_per_image: a fixed draw of so many questions per film; None takes all.
        seed: of that draw.
    """
    selection = select_questions(index, split, filters_of(settings), one_film_per_study=True)
    return FilmDataset(index, store, selection, seed=seed, questions_per_image=questions_per_image)


def labelled_films(
    index: Index, store: FilmSource, settings: DataSettings, split: str, *, seed: int
) -> FilmDataset:
    """Gives every matching film of a split whose study has CheXpert labels, without questions.

    The training split is augmented when the settings say so. Films of the few studies without a row in the
    CheXpert table are left out rather than counted as healthy.

    Raises:
        DataLayoutError: no film is left.
    """
    rows = select_films(index, split, settings.view_filter, one_film_per_study=False)
    labelled = index.column("studies", "has_chexpert")[index.column("images", "study_row")[rows]]
    rows = rows[labelled][: settings.max_samples]
    if not len(rows):
        raise DataLayoutError(
            f"no labelled film of the {split} split matches",
            expected="studies with a row in the CheXpert table",
            found=f"none with data.view_filter {settings.view_filter}",
            next_step="loosen data.view_filter, or complete the data",
        )
    selection = Selection(rows, np.zeros(len(rows), dtype=np.int64), None, free_text_by_type={}, masked=0)
    variation = _variation(settings) if split == "train" else None
    return FilmDataset(index, store, selection, seed=seed, questions_per_image=None, variation=variation)


def make_loader(
    films: FilmDataset,
    collate: Collate,
    *,
    batch_size: int,
    workers: int,
    shuffle: bool,
    pin_memory: bool = False,
    epoch: int = 0,
    batches_done: int = 0,
    films_per_update: int = 1,
    persistent_workers: bool = False,
) -> DataLoader[FilmBatch]:
    """Gives a loader of batches of B films; the sampler hands (epoch, film) to the data set.

    Its random numbers are its own: making or using it leaves the global stream as it was.

    Args:
        films: the data set.
        collate: makes a batch.
        batch_size: films per batch.
        workers: loading processes; the batches do not depend on it.
        shuffle: permute the films of each epoch and leave out an incomplete last batch.
        pin_memory: page-locked batches.
        epoch: the epoch that the first iteration stands for.
        batches_done: batches of that epoch that were already used: it goes on with the next one.
        films_per_update: with `shuffle`, an epoch is whole updates of so many films, where there are so
            many: then the order of the films in updates does not depend on how many processes share them.
        persistent_workers: the loading processes stay from one epoch to the next.
    """
    used = _films_used(len(films), batch_size, films_per_update) if shuffle else len(films)
    sampler = EpochSampler(len(films), films.seed, shuffle=shuffle, used=used)
    sampler.resume(epoch, min(batches_done * batch_size, used))
    return DataLoader(
        films,
        batch_size=batch_size,
        sampler=sampler,
        # What `__getitems__` gives goes to it as it is; torch's annotation knows lists only.
        collate_fn=cast(Any, collate),
        num_workers=workers,
        persistent_workers=persistent_workers and workers > 0,
        pin_memory=pin_memory,
        drop_last=shuffle and len(films) >= batch_size,
        generator=torch.Generator().manual_seed(films.seed),
        worker_init_fn=_begin_worker,
    )


def _films_used(films: int, batch_size: int, films_per_update: int) -> int:
    """Gives the films of an epoch; the few that are left over are others in every epoch.

    >>> _films_used(1000, 16, 256), _films_used(100, 16, 256), _films_used(10, 16, 256)
    (768, 96, 10)
    """
    for unit in (films_per_update, batch_size):
        if films >= unit:
            return films // unit * unit
    return films


def _begin_worker(_worker: int) -> None:
    # The garbage collector writes into every object that it looks at: in a forked process that would copy,
    # page by page, all that was inherited from the main one, over 100 MB per process.
    gc.freeze()
    # SLURM and others send SIGTERM to all processes of a job at once. The main one saves then, and needs the
    # loading processes until it has; PyTorch's own handler would end them, and with them the training.
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_when_the_main_process_says_so, daemon=True).start()


def _end_when_the_main_process_says_so() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
