"""Measures training films per second of InternImage-B on 14 findings, against the earlier recipe.

Usage: python benchmarks/classify_step.py [--backbone NAME] [--batch N] [--steps N] [--json]

Both sides train the same classifier (random weights, BCE with logits, AdamW, layer-wise rates left out) on as
many films per step. The baseline is the earlier recipe: the full-size JPEG opened and decoded in colour for
each film by two loading processes, and DCNv3 written with `grid_sample` where there is no compiled operator.
Ours: films from the image store, varied on the device, DCNv3 by the backend of this machine. `data_share` is
the share of a step that waits for films. Each side runs in a process of its own, in turn; `peak_mb` is the
process's largest resident memory, on a GPU the largest memory allocated there. CPU in fp32, batch 4; GPU in
bf16 autocast, batch 128.
"""

import argparse
import itertools
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from dcnv3 import plain
from loader import FullSizeFilms, full_size_films, open_workspace, repeated
from measure import show, sides_in_turn
from torch.utils.data import DataLoader

import cxrkit.models.internimage.layers as layers
from cxrkit.config import load_settings
from cxrkit.data.batches.dataset import Collate
from cxrkit.data.batches.loading import labelled_films, make_loader
from cxrkit.data.films.opener import films_of
from cxrkit.data.index import Index
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.configuration import ClassifierConfig
from cxrkit.training.modules import ClassifierModule

Batch = dict[str, torch.Tensor]


def our_batches(options: argparse.Namespace) -> Iterator[Batch]:
    """Gives the batches that training would see."""
    index = Index.open(options.workspace)
    settings = load_settings(None, "classify", {"data.vary_intensity": False, "data.erased_share": 0.1}).data
    films = repeated(labelled_films(index, films_of(index), settings, "train", seed=0), 100_000)
    workers = 1 if torch.cuda.is_available() else 0
    yield from make_loader(
        films, Collate(index, None), batch_size=options.batch, workers=workers, shuffle=True
    )


def guide_batches(options: argparse.Namespace, size: int) -> Iterator[Batch]:
    """Gives full-size films decoded one by one, already network input."""
    paths = sorted((options.folder / "full_size").glob("*.jpg"))
    many = list(itertools.islice(itertools.cycle(paths), 100_000))
    for batch in DataLoader(FullSizeFilms(many, size, 0), batch_size=options.batch, num_workers=2):
        yield {"ready": batch["image"], "chexpert": torch.zeros(len(batch["image"]), 14)}


class GuideModule(torch.nn.Module):
    """The classifier on films that are network input already."""

    def __init__(self, network: CXRClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> dict[str, Any]:
        logits = self.network(batch["ready"]).float()
        return {"loss": torch.nn.functional.binary_cross_entropy_with_logits(logits, batch["chexpert"])}


def operator_of(side: str) -> AbstractContextManager[Any]:
    if side == "ours":
        return nullcontext()
    return mock.patch.object(
        layers, "dcnv3", lambda value, offset, mask, **rest: plain(value, offset, mask, **rest)
    )


def run_side(options: argparse.Namespace) -> dict[str, float]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    model = CXRClassifier(ClassifierConfig(visual_backbone=options.backbone))
    is_ours = options.side == "ours"
    module = (ClassifierModule(model) if is_ours else GuideModule(model)).to(device).train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-5, fused=True)
    batches = our_batches(options) if is_ours else guide_batches(options, model.config.image_size)
    seconds, waits = [], []
    with operator_of(options.side):
        for _ in range(options.warm_up + options.steps):
            start = time.perf_counter()
            batch = next(batches)
            waits.append(time.perf_counter() - start)
            moved = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
                loss = module(moved)["loss"]
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
    counted = slice(options.warm_up, None)
    return {
        "films_per_s": options.batch / float(np.median(seconds[counted])),
        "data_share": float(np.sum(waits[counted]) / np.sum(seconds[counted])),
        "peak_mb": peak,
    }


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    workspace = open_workspace(options.workspace, folder, options.patients)
    index = Index.open(workspace)

    class Stored:
        store = films_of(index)

    full_size_films(Stored, folder / "full_size")  # type: ignore[arg-type]
    words = [
        __file__, "--folder", folder, "--workspace", workspace, "--backbone", options.backbone,
        "--batch", options.batch, "--steps", options.steps, "--warm-up", options.warm_up,
    ]  # fmt: skip
    median, ratio = sides_in_turn(words, "films_per_s", options.rounds)
    return {
        "films_per_s": median["ours"]["films_per_s"],
        "baseline_films_per_s": median["guide"]["films_per_s"],
        "ratio": ratio,
        "data_share": median["ours"]["data_share"],
        "baseline_data_share": median["guide"]["data_share"],
        "peak_mb": median["ours"]["peak_mb"],
        "baseline_peak_mb": median["guide"]["peak_mb"],
        "backbone": options.backbone,
        "batch": options.batch,
        "steps": options.steps,
        "rounds": options.rounds,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workspace", type=Path, help="a prepared workspace; made when missing")
    parser.add_argument("--patients", type=int, default=40, help="patients of the workspace that is made")
    parser.add_argument("--backbone", default="internimage_b", help="a timm model")
    parser.add_argument("--batch", type=int, default=128 if on_gpu else 4, help="films per step")
    parser.add_argument("--steps", type=int, default=20 if on_gpu else 4, help="steps per figure and round")
    parser.add_argument("--warm-up", type=int, default=3 if on_gpu else 1, help="steps not counted, first")
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
