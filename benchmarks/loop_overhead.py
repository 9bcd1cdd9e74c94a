"""Measures what our training loop costs beyond a bare PyTorch loop over the same batches.

Usage: python benchmarks/loop_overhead.py [--task vqa|classify|both] [--updates N] [--json]

Ours is `cxrkit train` on the demo's model and settings: the Trainer with everything around it, logging
every 10 updates to metrics.jsonl, speed.jsonl and TensorBoard, the progress, the signals' flag. The bare loop
has a copy of the same module, a loader of the same films in the same order, AdamW, the same schedule and
clipping, and nothing else. Both take turns, update by update, in one process, so that what else happens on
the machine meets both alike; each has its own state of the random numbers, so both walk the same way, which
`largest_difference` of their weights after 10 updates shows. `overhead` is the median, over blocks of 10
updates, of our seconds over theirs, minus 1; of the task where it is larger. A second bare loop takes turns
too: `control` is the first one over it, which would be 0 without noise. `data_wait_share` is what our own
speed.jsonl says.
"""

import argparse
import copy
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from loader import open_workspace
from measure import show
from torch import Tensor
from transformers import get_scheduler

from cxrkit.config import Settings, load_settings
from cxrkit.data.batches.loading import make_loader
from cxrkit.demo.settings import classifier_settings, vqa_settings
from cxrkit.training import classify, vqa
from cxrkit.training.arguments import films_per_update
from cxrkit.training.job import Job
from cxrkit.training.run import run_training

BLOCK, WARM_UP, COMPARED_AT = 10, 10, 10


class BareLoop:
    """The training as one would write it by hand: one batch per update."""

    def __init__(self, job: Job, updates: int) -> None:
        training = job.settings.training
        self.module = copy.deepcopy(job.module).train()
        self.clip = training.max_grad_norm
        self.optimizer = torch.optim.AdamW(
            self.module.parameters(), lr=training.learning_rate, weight_decay=0.0, fused=True
        )
        warm_up = int(-(-training.warmup_ratio * updates // 1))
        self.schedule = get_scheduler(training.lr_scheduler_type, self.optimizer, warm_up, updates)
        self.batches = self._batches(job)
        self.random = torch.Generator().manual_seed(training.seed).get_state()

    def _batches(self, job: Job) -> Iterator[dict[str, Tensor]]:
        training = job.settings.training
        loader = make_loader(
            job.films,
            job.collate,
            batch_size=training.batch_size_per_gpu,
            workers=training.dataloader_num_workers,
            shuffle=True,
            films_per_update=films_per_update(job.settings),
        )
        sampler: Any = loader.sampler
        for epoch in range(10**6):
            sampler.set_epoch(epoch)
            yield from loader

    def update(self) -> float:
        """Does one update with the loop's own random numbers; gives its seconds."""
        theirs = torch.get_rng_state()
        torch.set_rng_state(self.random)
        began = time.perf_counter()
        loss = self.module(next(self.batches))["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.clip)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        seconds = time.perf_counter() - began
        self.random = torch.get_rng_state()
        torch.set_rng_state(theirs)
        return seconds


@dataclass
class Turns:
    """Lets two bare loops do an update after each of ours."""

    updates: int
    job: Job | None = None
    bare: list[BareLoop] = field(default_factory=list)
    difference: float | None = None
    began: float | None = None
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    control: list[float] = field(default_factory=list)

    def train(self, job: Job, progress: Any = None) -> Any:
        """Stands in for `run_training`."""
        self.job, self.bare = job, [BareLoop(job, self.updates) for _ in range(2)]
        return run_training(job, self._after_update)

    def _after_update(self, _stage: str, done: int, _all: int) -> None:
        now = time.perf_counter()
        first, second = (loop.update() for loop in self.bare)
        # The first update has no beginning that is seen from here.
        if self.began is not None:
            self.ours.append(now - self.began)
            self.theirs.append(first)
            self.control.append(second)
        # Later rounding alone, which updates enlarge, would take them apart.
        if done == COMPARED_AT:
            self.difference = self._difference()
        self.began = time.perf_counter()

    def _difference(self) -> float:
        """Gives the largest difference of a weight between our model and the first bare loop's."""
        assert self.job is not None
        own, bare = self.job.module.state_dict(), self.bare[0].module.state_dict()
        return max(float((own[name].float() - bare[name].float()).abs().max()) for name in own)


def settings_of(task: str, workspace: Path, run_dir: Path, updates: int) -> Settings:
    """Gives the demo's settings with nothing between the updates: no validation, no checkpoint."""
    paths: dict[str, object] = {"workspace": workspace}
    demo: Settings = (
        classifier_settings(run_dir, paths, 0, 10**6)
        if task == "classify"
        else vqa_settings(run_dir, paths, 0, 10**6, Path("none"))
    )
    flat = {
        f"{section}.{key}": value
        for section, part in demo.model_dump().items()
        if isinstance(part, dict)
        for key, value in part.items()
    }
    # The engine chooses by name what decays; without it both optimizers are the same.
    own = {"model.pretrained": False, "training.max_steps": updates, "training.weight_decay": 0.0}
    return load_settings(None, task, flat | own)


def measure_task(task: str, workspace: Path, folder: Path, updates: int) -> dict[str, float]:
    """Trains one task with both loops in turn."""
    turns = Turns(updates)
    settings = settings_of(task, workspace, folder / task, updates)
    # As many updates as there are in one pass come without a validation in between.
    rare = mock.patch("cxrkit.training.arguments.intervals", return_value=(10**9, 10**9))
    room = classify if task == "classify" else vqa
    train: Any = classify.train_classifier if task == "classify" else vqa.train_vqa
    with rare, mock.patch.object(room, "run_training", turns.train):
        train(settings)
    if turns.difference is None:
        raise SystemExit(f"fewer than {COMPARED_AT} updates were done")
    counted = slice(WARM_UP, None)
    return overheads(turns.ours[counted], turns.theirs[counted]) | {
        "control": overheads(turns.theirs[counted], turns.control[counted])["overhead"],
        "largest_difference": turns.difference,
        "data_wait_share": waited(folder / task / "speed.jsonl"),
    }


def overheads(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """Gives medians over blocks, each of which has one log line."""
    count = min(len(ours), len(theirs)) // BLOCK
    blocks = [slice(number * BLOCK, (number + 1) * BLOCK) for number in range(count)]
    ratios = sorted(sum(ours[block]) / sum(theirs[block]) - 1 for block in blocks)
    return {
        "overhead": statistics.median(ratios),
        "overhead_lower_quartile": ratios[count // 4],
        "overhead_upper_quartile": ratios[3 * count // 4],
        "overhead_of_all": sum(ours[: count * BLOCK]) / sum(theirs[: count * BLOCK]) - 1,
        "update_ms": 1000 * statistics.median(ours),
        "bare_update_ms": 1000 * statistics.median(theirs),
    }


def waited(path: Path) -> float:
    """Gives the share of the time spent waiting for films, over all updates but the first ones."""
    lines = [json.loads(line) for line in path.read_text().splitlines()][1:]
    return statistics.mean(line["data_wait_share"] for line in lines)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    workspace = open_workspace(options.workspace, folder, options.patients)
    tasks = ("classify", "vqa") if options.task == "both" else (options.task,)
    found = {task: measure_task(task, workspace, folder, options.updates) for task in tasks}
    worst = max(found.values(), key=lambda figures: figures["overhead"])
    named = {f"{task}_{name}": value for task, figures in found.items() for name, value in figures.items()}
    return {
        "overhead": worst["overhead"],
        "data_wait_share": max(figures["data_wait_share"] for figures in found.values()),
        **named,
        "updates": options.updates,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workspace", type=Path, help="a prepared workspace; made when missing")
    parser.add_argument("--patients", type=int, default=120, help="patients of the workspace that is made")
    parser.add_argument("--task", choices=("vqa", "classify", "both"), default="both")
    parser.add_argument("--updates", type=int, default=210, help="updates of each loop and task")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        show(measure(options, Path(folder)), options.json)


if __name__ == "__main__":
    main()
