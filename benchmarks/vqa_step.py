"""Measures training questions per second of the default VQA model, against the guide's recipe.

Usage: python benchmarks/vqa_step.py [--images N] [--steps N] [--workspace FOLDER] [--json]

Both sides train the default model (ConvNeXt-Base, a text encoder of BERT-base size, 6 fusion layers; random
weights, all losses, AdamW) on the same questions, as many per step on both sides. The baseline is the guide's
recipe: one image per question, opened as a full-size JPEG and decoded in colour for that question alone,
questions padded to 128 tokens, every question encoded by itself. Ours: the image is encoded once for its 16
questions from the image store, questions are padded to the longest of the batch, equal ones encoded once.
Each side runs in a process of its own, in turn; `peak_mb` is the process's largest resident memory, on a GPU
the largest memory allocated there. CPU in fp32; GPU in bf16 autocast.
"""

import argparse
import itertools
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loader import full_size_films, open_workspace
from measure import show, sides_in_turn
from PIL import Image
from torchvision.transforms import v2

from cxrkit.config import load_settings
from cxrkit.data.batches.dataset import Collate
from cxrkit.data.batches.loading import make_loader, training_films
from cxrkit.data.films.opener import films_of
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.models.configuration import CLINICAL_BERT, SSGVQAConfig
from cxrkit.models.losses import LossWeights
from cxrkit.models.names import entity_matcher, region_matcher
from cxrkit.models.question_tokens import QuestionTokenizer
from cxrkit.models.text import QuestionEncoder, text_encoder_from_config, train_tokenizer
from cxrkit.models.vqa import SSGVQAModel
from cxrkit.training.modules import VQAModule

QUESTIONS_PER_IMAGE = 16
PADDED = 128
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Trained:
    """A model in training and where its batches come from."""

    module: VQAModule
    optimizer: torch.optim.Optimizer
    device: torch.device

    def step(self, batch: Batch) -> None:
        moved = {name: value.to(self.device) for name, value in batch.items()}
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda"):
            loss = self.module(moved)["loss"]
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def default_model(index: Index, tokenizer: Any) -> SSGVQAModel:
    def pieces(text: str) -> list[int]:
        found: list[int] = tokenizer.encode(text, add_special_tokens=False)
        return found

    torch.manual_seed(0)
    entities, regions = entity_matcher(index.vocabularies.entities, pieces), region_matcher(pieces)
    config = SSGVQAConfig(
        entities=index.vocabularies.entities,
        entity_name_shape=tuple(entities.pieces.shape),
        region_name_shape=tuple(regions.pieces.shape),
    )
    encoder = text_encoder_from_config(CLINICAL_BERT)
    questions = QuestionEncoder(encoder, config.hidden_size, entities, regions)
    return SSGVQAModel(config, question_encoder=questions, tokenizer=tokenizer)


def batches_of(index: Index, store: FilmSource, images: int, tokenizer: Any) -> Iterator[Batch]:
    """Gives the batches that training would see."""
    chosen = {"data.quality_grade": "B", "data.questions_per_image": QUESTIONS_PER_IMAGE}
    films = training_films(index, store, load_settings(None, "vqa", chosen).data, seed=0)
    collate = Collate(index, QuestionTokenizer(tokenizer, PADDED))
    for epoch in itertools.count():
        loader = make_loader(films, collate, batch_size=images, workers=0, shuffle=True, epoch=epoch)
        found = 0
        for batch in loader:
            if len(batch["question_row"]) == images * QUESTIONS_PER_IMAGE:
                found += 1
                yield batch
        if not found:
            raise SystemExit(f"no batch of {images} images with {QUESTIONS_PER_IMAGE} questions each")


class GuideRecipe:
    """Turns a batch into the guide's: a full-size film decoded per question, every text padded and alone."""

    def __init__(self, films: list[Path], size: int) -> None:
        self.films = films
        resize = v2.Resize((size, size), antialias=True)
        self.transform = v2.Compose([resize, v2.PILToTensor()])

    def __call__(self, batch: Batch) -> Batch:
        film_of = batch["image_of_question"]
        decoded = []
        for film in film_of.tolist():
            number = int(batch["image_row"][film]) % len(self.films)
            with Image.open(self.films[number]) as image:
                decoded.append(self.transform(image.convert("RGB"))[0])
        of_texts = ("images", "input_ids", "attention_mask")
        of_films = [
            name for name in batch if len(batch[name]) == len(batch["images"]) and name not in of_texts
        ]
        by_question = {name: batch[name][film_of] for name in of_films}
        text = batch["text_of_question"]
        pad = PADDED - batch["input_ids"].shape[1]
        ids, mask = (
            torch.nn.functional.pad(batch[name][text], (0, pad)) for name in ("input_ids", "attention_mask")
        )
        images = torch.stack(decoded)
        alone = torch.arange(len(film_of))
        return batch | by_question | {
            "images": images, "image_side": torch.full((len(images),), images.shape[-1]),
            "image_of_question": alone, "text_of_question": alone, "input_ids": ids, "attention_mask": mask,
        }  # fmt: skip


def run_side(options: argparse.Namespace) -> dict[str, float]:
    index = Index.open(options.workspace)
    store = films_of(index)
    training = training_films(index, store, load_settings(None, "vqa", {"data.quality_grade": "B"}).data, 0)
    texts = training.selection.question_texts(index).tolist()
    tokenizer = train_tokenizer((index.text(row) for row in texts), options.pieces)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = default_model(index, tokenizer)
    module = VQAModule(model, LossWeights(), blank_is_negative=False).to(device).train()
    trained = Trained(module, torch.optim.AdamW(module.parameters(), lr=1e-5, fused=True), device)
    films = sorted((options.folder / "full_size").glob("*.jpg"))
    prepare: Callable[[Batch], Batch] = (
        GuideRecipe(films, model.config.image_size) if options.side == "guide" else lambda batch: batch
    )
    batches = batches_of(index, store, options.images, tokenizer)
    for _ in range(options.warm_up):
        trained.step(prepare(next(batches)))
    seconds, questions, tokens = [], 0, []
    for _ in range(options.steps):
        start = time.perf_counter()
        batch = prepare(next(batches))
        trained.step(batch)
        seconds.append(time.perf_counter() - start)
        questions = len(batch["question_row"])
        tokens.append(float(batch["attention_mask"].sum(1).float().mean()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
    return {
        "questions_per_s": questions / float(np.median(seconds)),
        "peak_mb": peak,
        "tokens_per_question": float(np.mean(tokens)),
    }


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    workspace = open_workspace(options.workspace, folder, options.patients)
    index = Index.open(workspace)

    class Stored:
        store = films_of(index)

    full_size_films(Stored, folder / "full_size")  # type: ignore[arg-type]
    words = [
        __file__, "--folder", folder, "--workspace", workspace, "--images", options.images,
        "--steps", options.steps, "--warm-up", options.warm_up, "--pieces", options.pieces,
    ]  # fmt: skip
    median, ratio = sides_in_turn(words, "questions_per_s", options.rounds)
    return {
        "questions_per_s": median["ours"]["questions_per_s"],
        "baseline_questions_per_s": median["guide"]["questions_per_s"],
        "ratio": ratio,
        "peak_mb": median["ours"]["peak_mb"],
        "baseline_peak_mb": median["guide"]["peak_mb"],
        "tokens_per_question": median["ours"]["tokens_per_question"],
        "questions_per_step": options.images * QUESTIONS_PER_IMAGE,
        "questions_per_image": QUESTIONS_PER_IMAGE,
        "steps": options.steps,
        "rounds": options.rounds,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workspace", type=Path, help="a prepared workspace; made when missing")
    parser.add_argument("--patients", type=int, default=40, help="patients of the workspace that is made")
    parser.add_argument("--images", type=int, default=1, help="images per step, with 16 questions each")
    parser.add_argument("--steps", type=int, default=4, help="steps per figure and round")
    parser.add_argument("--warm-up", type=int, default=1, help="steps not counted, first")
    parser.add_argument(
        "--pieces", type=int, default=250, help="vocabulary: the fewer, the more tokens per question"
    )
    parser.add_argument("--rounds", type=int, default=3, help="times both sides are run in turn")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--side", choices=("ours", "guide"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(run_side(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        show(measure(options, Path(folder)), options.json)


if __name__ == "__main__":
    main()
