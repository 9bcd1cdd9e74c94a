"""Measures films per second from the workspace to network input, against decoding full-size films each time.

Usage: python benchmarks/loader.py [--workspace FOLDER] [--batches N] [--questions N] [--json]

Both sides get two cores. The baseline does what the earlier systems did: two loading processes that open the
full-size JPEG, decode it as colour, resize, vary and normalise it; for `vqa_ratio` they also keep every
question as Python numbers padded to 128. Ours: this process reads the films and turns them into network input
with two threads (`images_per_s`), or one loading process reads them (`worker_images_per_s`, as beside a GPU,
which would do the rest). Each batch is written into new memory, as training does it on the CPU;
`images_per_s_reusing_memory` writes into that of the batch before. Both read a small workspace over and over:
the disk is not measured.
"""

import argparse
import pickle
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from measure import peak_memory, show, tree_pss_mb
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from cxrkit.config import load_settings
from cxrkit.data.batches.balance import AnswerBalance
from cxrkit.data.batches.dataset import Collate, FilmDataset
from cxrkit.data.batches.loading import labelled_films, make_loader, training_films
from cxrkit.data.batches.selection import Filters, select_questions
from cxrkit.data.batches.transforms import prepare_images, transform_boxes
from cxrkit.data.films.opener import open_films
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.data.prepare import prepare_workspace
from cxrkit.data.synthetic import write_dataset
from cxrkit.models.question_tokens import QuestionTokenizer
from cxrkit.models.text import train_tokenizer

FULL_SIZE = (2544, 3056)
FULL_SIZE_FILMS = 20
QUESTIONS_PER_FILM = 16
PADDED = 128
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
MEMORY_BATCH = 8
BASELINE_BATCH = 4


@dataclass(frozen=True)
class Work:
    """What is loaded: an opened workspace and the sizes of a batch."""

    index: Index
    store: FilmSource
    batch_size: int
    image_size: int

    def labelled(self, films: int) -> FilmDataset:
        settings = load_settings(None, "classify", {}).data
        return repeated(labelled_films(self.index, self.store, settings, "train", seed=0), films)

    def asked(self, films: int) -> FilmDataset:
        chosen = {"data.questions_per_image": QUESTIONS_PER_FILM, "data.question_sampling": "balanced"}
        settings = load_settings(None, "vqa", {**chosen, "data.quality_grade": "B"}).data
        return repeated(training_films(self.index, self.store, settings, seed=0), films)

    def input_memory(self) -> torch.Tensor:
        return torch.empty(self.batch_size, 3, self.image_size, self.image_size)

    def collate(self, *, with_questions: bool) -> Collate:
        if not with_questions:
            return Collate(self.index, None)
        chosen = self.asked(1).selection.question_texts(self.index)
        tokenizer = train_tokenizer(self.index.text(row) for row in chosen.tolist())
        return Collate(self.index, QuestionTokenizer(tokenizer, PADDED))


def repeated(films: FilmDataset, wanted: int) -> FilmDataset:
    """Gives the films over and over, so that an epoch is as long as that of a large data set."""
    places = np.arange(wanted) % len(films)
    chosen = films.selection
    films.selection = replace(
        chosen, image_rows=chosen.image_rows[places], num_questions=chosen.num_questions[places]
    )
    return films


def network_input(work: Work, batch: dict[str, torch.Tensor], out: torch.Tensor | None) -> torch.Tensor:
    """Makes the input of a network, in the memory of `out` or in new memory."""
    if "node_boxes" in batch:
        transform_boxes(batch["node_boxes"], batch["transform"])
    films, transform, sides = batch["images"], batch["transform"], batch["image_side"]
    reused = None if out is None else out[: len(films)]
    return prepare_images(films, transform, work.image_size, MEAN, STD, sides, out=reused)


def films_per_second(
    work: Work, *, films: int, workers: int, with_questions: bool = False, reuse_memory: bool = False
) -> float:
    """Gives the rate from the fifth batch on: starting the loading process is left out."""
    dataset = work.asked(films) if with_questions else work.labelled(films)
    loader = make_loader(
        dataset,
        work.collate(with_questions=with_questions),
        batch_size=work.batch_size,
        workers=workers,
        shuffle=True,
    )
    batches, out = iter(loader), work.input_memory() if reuse_memory else None
    for _ in range(4):
        network_input(work, next(batches), out)
    start, done = time.perf_counter(), 0
    for batch in batches:
        done += len(network_input(work, batch, out))
    return done / (time.perf_counter() - start)


class FullSizeFilms(Dataset[dict[str, Any]]):
    """The earlier systems' data set: a full-size JPEG per sample, questions, if any, as padded lists."""

    def __init__(self, paths: list[Path], size: int, questions: int) -> None:
        self.paths = paths
        self.questions = questions
        self.vary = v2.Compose([
            v2.Resize((size, size), antialias=True),
            v2.RandomAffine(degrees=6, translate=(0.04, 0.04), scale=(0.92, 1.08)),
            v2.ColorJitter(brightness=0.08, contrast=0.15),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
            v2.RandomErasing(p=0.25, scale=(0.02, 0.1)),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int) -> dict[str, Any]:
        with Image.open(self.paths[position]) as film:
            image = self.vary(film.convert("RGB"))
        if not self.questions:
            return {"image": image}
        tokens = [[7] * 12 + [0] * (PADDED - 12) for _ in range(self.questions)]
        return {"image": image, "questions": [{"input_ids": row} for row in tokens]}


def baseline_films_per_second(work: Work, paths: list[Path], questions: int) -> float:
    """Gives the earlier systems' rate from the second round of batches on."""
    films = FullSizeFilms(paths, work.image_size, questions)
    loader = DataLoader(films, batch_size=BASELINE_BATCH, num_workers=2, collate_fn=list)
    batches = iter(loader)
    for _ in range(2):
        next(batches)
    start, done = time.perf_counter(), 0
    for samples in batches:
        done += len(torch.stack([sample["image"] for sample in samples]))
    return done / (time.perf_counter() - start)


def full_size_films(work: Work, folder: Path) -> list[Path]:
    """Enlarges stored films and adds grain, so that the files are as large as the data set's."""
    folder.mkdir(parents=True)
    paths = []
    for number in range(FULL_SIZE_FILMS):
        film = Image.fromarray(work.store.read(number % work.store.count))
        pixels = np.asarray(film.resize(FULL_SIZE, Image.Resampling.BICUBIC), dtype=np.float32)
        grain = np.random.default_rng(number).normal(0, 2.5, pixels.shape)
        paths.append(folder / f"{number}.jpg")
        Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8)).save(paths[-1], quality=95)
    return paths


def memory_over_batches(work: Work, batches: int) -> dict[str, float]:
    """Gives the memory of this process and a loading one over many VQA batches."""
    loader = make_loader(
        work.asked(batches * MEMORY_BATCH),
        work.collate(with_questions=True),
        batch_size=MEMORY_BATCH,
        workers=1,
        shuffle=True,
    )
    settled = min(200, batches // 4)
    marks = {settled: "pss_start_mb", batches // 2: "pss_middle_mb", batches - 1: "pss_end_mb"}
    figures: dict[str, float] = {}
    with peak_memory(every_s=0.5) as peak:
        for number, batch in enumerate(loader):
            network_input(work, batch, None)
            if number in marks:
                figures[marks[number]] = tree_pss_mb()
    return figures | {"peak_mb": peak.megabytes}


def memory_with_workers(work: Work, workers: int) -> float:
    loader = make_loader(
        work.asked(400 * MEMORY_BATCH * workers),
        work.collate(with_questions=True),
        batch_size=MEMORY_BATCH,
        workers=workers,
        shuffle=True,
    )
    batches: Iterator[Any] = iter(loader)
    for _ in range(300 * workers):
        next(batches)
    return tree_pss_mb()


def artificial_index(index: Index, questions: int) -> Index:
    """Gives the index with its studies repeated until there are so many questions."""
    times = -(-questions // index.questions.num_rows)
    shifts = {
        ("studies", "first_question"): index.questions.num_rows,
        ("studies", "first_image"): index.images.num_rows,
        ("images", "study_row"): index.studies.num_rows,
        ("questions", "study_row"): index.studies.num_rows,
    }
    tables = {}
    for name in ("images", "studies", "questions"):
        table: pa.Table = getattr(index, name)
        larger = pa.concat_tables([table] * times).combine_chunks()
        for place, column in enumerate(table.schema):
            step = shifts.get((name, column.name))
            if step is not None:
                values = np.asarray(table.column(place))
                moved = np.tile(values, times) + np.repeat(np.arange(times) * step, len(values))
                larger = larger.set_column(place, column, pa.array(moved.astype(values.dtype)))
        tables[name] = larger
    return replace(index, **tables, _columns={})


def selection_figures(work: Work, questions: int) -> dict[str, float]:
    """Measures choosing and weighing many questions; what is pickled is what a spawned worker receives."""
    index = artificial_index(work.index, questions)
    for name in ("category_valid", "region_valid"):
        index.column("questions", name)
    before = tree_pss_mb()
    with peak_memory(every_s=0.02) as peak:
        start = time.perf_counter()
        filters = Filters(view_filter="all", minimum_rating=0)
        selection = select_questions(index, "train", filters, one_film_per_study=False)
        chosen = time.perf_counter()
        balance = AnswerBalance.count(index, selection.parts(index))
        weighed = time.perf_counter()
    dataset = FilmDataset(
        index, work.store, selection, seed=0, questions_per_image=QUESTIONS_PER_FILM, balance=balance
    )
    return {
        "selected_questions": int(selection.num_questions.sum()),
        "select_s": chosen - start,
        "balance_s": weighed - chosen,
        "selection_peak_mb": max(0.0, peak.megabytes - before),
        "pickled_dataset_mb": len(pickle.dumps(dataset)) / 2**20,
        "selected_films": selection.films,
    }


def open_workspace(workspace: Path | None, folder: Path, patients: int) -> Path:
    if workspace is not None:
        return workspace
    write_dataset(folder / "data", patients=patients, seed=1, image_size=360, workers=2)
    prepare_workspace(
        folder / "data" / "mimic-cxr-jpg",
        folder / "data" / "mimic-ext-cxr-qba",
        folder / "workspace",
        image_store_size=320,
    )
    return folder / "workspace"


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    workspace = open_workspace(options.workspace, folder, options.patients)
    index, store = Index.open(workspace), open_films(workspace)
    work = Work(index, store, options.batch_size, options.image_size)
    torch.set_num_threads(options.threads)
    workers, films = options.workers, options.films
    paths = full_size_films(work, folder / "full_size") * options.rounds
    films_per_second(work, films=20 * options.batch_size, workers=workers)
    ours = films_per_second(work, films=films, workers=workers)
    reusing = films_per_second(work, films=films, workers=workers, reuse_memory=True)
    beside = films_per_second(work, films=films, workers=1)
    asked = films_per_second(work, films=films // 2, workers=1, with_questions=True)
    baseline = baseline_films_per_second(work, paths, 0)
    vqa_baseline = baseline_films_per_second(work, paths, QUESTIONS_PER_FILM)
    one, four = memory_with_workers(work, 1), memory_with_workers(work, 4)
    return {
        "images_per_s": ours,
        "images_per_s_reusing_memory": reusing,
        "worker_images_per_s": beside,
        "vqa_images_per_s": asked,
        "baseline_images_per_s": baseline,
        "baseline_vqa_images_per_s": vqa_baseline,
        "ratio": ours / baseline,
        "vqa_ratio": asked / vqa_baseline,
        **memory_over_batches(work, options.batches),
        "pss_per_worker_mb": (four - one) / 3,
        **selection_figures(work, options.questions),
        "batches": options.batches,
        "batch_size": options.batch_size,
        "image_size": options.image_size,
        "store_size": store.size,
        "workers": options.workers,
        "threads": options.threads,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workspace", type=Path, help="a prepared workspace; made when missing")
    parser.add_argument("--patients", type=int, default=60, help="patients of the workspace that is made")
    parser.add_argument("--films", type=int, default=20000, help="films per rate")
    parser.add_argument("--rounds", type=int, default=6, help="times the baseline reads its 20 films")
    parser.add_argument("--batches", type=int, default=2000, help="batches over which memory is watched")
    parser.add_argument("--questions", type=int, default=1_000_000, help="questions to choose from")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--workers", type=int, default=0, help="loading processes of images_per_s")
    parser.add_argument("--threads", type=int, default=2, help="threads that make network input")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        show(measure(options, Path(folder)), options.json)


if __name__ == "__main__":
    main()
