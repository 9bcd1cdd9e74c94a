"""Several configurations trained and evaluated one after the other, then compared on the same questions."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cxrkit.errors import CxrkitError, SettingsError, TrainingStopped

if TYPE_CHECKING:
    from cxrkit.cli.terminal import Terminal
    from cxrkit.config import Settings
    from cxrkit.data.index import Index

logger = logging.getLogger(__name__)
RESULTS = "evaluation_results"
REFERENCE = "full"
COMPARISON = "ablation"
# What decides which questions are asked: figures on different ones cannot be compared.
_SAME = ("workspace", "quality_grade", "view_filter", "question_types", "max_samples")


@dataclass(frozen=True)
class Ablation:
    """One configuration.

    Attributes:
        name: of its file.
        settings: resolved; the run's folder is named after the file.
    """

    name: str
    settings: "Settings"

    @property
    def run_dir(self) -> Path:
        """The folder of run and results."""
        return self.settings.training.output_dir

    @property
    def results(self) -> Path:
        """The folder of the evaluation."""
        return self.run_dir / RESULTS


@dataclass(frozen=True)
class Failed:
    """An ablation that came to no result.

    Attributes:
        name: which.
        stage: `training` or `evaluation`.
        error: why.
    """

    name: str
    stage: str
    error: Exception


@dataclass
class Done:
    """What came of the ablations.

    Attributes:
        evaluated: those with predictions, the reference first.
        failed: the others.
    """

    evaluated: list[Ablation] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


def read_ablations(
    paths: Sequence[Path], output_dir: Path, overrides: Mapping[str, object]
) -> list[Ablation]:
    """Reads the configurations, the reference first: the file named `full`, or else the first.

    Args:
        paths: settings files; each is named after its stem.
        output_dir: run and results go into `output_dir/name`.
        overrides: what the command line says, put over each file.

    Raises:
        SettingsError: fewer than two, two of one name, or files about different tasks or questions.
    """
    from cxrkit.config import load_settings

    names = [path.stem for path in paths]
    mistakes = [
        f"--config: {name} is named twice" for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if len(paths) < 2:
        mistakes.append(f"--config: {len(paths)} file, expected two or more to compare")
    if mistakes:
        raise SettingsError("command line", mistakes)
    read = [
        Ablation(path.stem, _in_folder(load_settings(path, None, overrides), output_dir / path.stem))
        for path in paths
    ]
    _require_same_questions(read)
    return sorted(read, key=lambda ablation: ablation.name != REFERENCE)


def _in_folder(settings: "Settings", run_dir: Path) -> "Settings":
    training = settings.training
    name = training.hub_model_id
    own = {
        "output_dir": run_dir,
        "resume_from_checkpoint": "auto",
        "hub_model_id": None if name is None else f"{name}-{run_dir.name}",
    }
    return settings.model_copy(update={"training": training.model_copy(update=own)})


def _require_same_questions(ablations: Sequence[Ablation]) -> None:
    first, *others = ablations
    mistakes = []
    for other in others:
        if other.settings.task != first.settings.task:
            mistakes.append(
                f"{other.name}: task {other.settings.task}, but {first.settings.task} in {first.name}"
            )
        for key in _SAME:
            own, wanted = getattr(other.settings.data, key), getattr(first.settings.data, key)
            if own != wanted:
                mistakes.append(f"{other.name}: data.{key} {own}, but {wanted} in {first.name}")
    if mistakes:
        raise SettingsError("the ablations, which must be about the same questions", mistakes)


def train_all(ablations: Sequence[Ablation], index: "Index", terminal: "Terminal") -> Done:
    """Trains each ablation, goes on with those that broke off, and leaves finished ones alone.

    Args:
        ablations: from `read_ablations`.
        index: of their workspace.
        terminal: shows progress.

    Raises:
        TrainingStopped: a signal asked to stop; the same command goes on.
    """
    done = Done()
    for number, ablation in enumerate(ablations, start=1):
        label = f"{ablation.name} ({number} of {len(ablations)})"
        try:
            if _is_trained(ablation, index):
                terminal.say(f"{label}: trained already")
            else:
                terminal.say(f"{label}: training")
                _train(ablation, index, terminal)
            done.evaluated.append(ablation)
        except TrainingStopped:
            raise
        except (CxrkitError, RuntimeError) as error:
            logger.warning("%s: %s", ablation.name, error)
            done.failed.append(Failed(ablation.name, "training", error))
    return done


def _is_trained(ablation: Ablation, index: "Index") -> bool:
    from cxrkit.cli.workspace import as_prepared
    from cxrkit.training.resume import describe_run
    from cxrkit.training.run_folder import BEST_MODEL, read_run

    recorded = read_run(ablation.run_dir)
    if recorded is None or not recorded["finished"] or not (ablation.run_dir / BEST_MODEL).is_dir():
        return False
    same: bool = recorded["run"] == describe_run(as_prepared(ablation.settings, index), index.fingerprint)
    return same


def _train(ablation: Ablation, index: "Index", terminal: "Terminal") -> None:
    from cxrkit.cli.train_verbs import run_training
    from cxrkit.cli.workspace import as_prepared

    with terminal.bars() as bars:
        run_training(as_prepared(ablation.settings, index), bars)


def evaluate_all(
    trained: Done, index: "Index", split: str, protocols: Sequence[str] | None, terminal: "Terminal"
) -> Done:
    """Evaluates each trained ablation, and leaves results of this very model and split alone.

    Args:
        trained: from `train_all`.
        index: of their workspace.
        split: `train`, `validate` or `test`.
        protocols: of VQA models; None takes all.
        terminal: shows progress.
    """
    done = Done(failed=list(trained.failed))
    for number, ablation in enumerate(trained.evaluated, start=1):
        label = f"{ablation.name} ({number} of {len(trained.evaluated)})"
        try:
            if _is_evaluated(ablation, index, split):
                terminal.say(f"{label}: evaluated already")
            else:
                terminal.say(f"{label}: evaluating on the {split} split")
                _evaluate(ablation, split, protocols, terminal)
            done.evaluated.append(ablation)
        except (CxrkitError, RuntimeError) as error:
            logger.warning("%s: %s", ablation.name, error)
            done.failed.append(Failed(ablation.name, "evaluation", error))
    return done


def _is_evaluated(ablation: Ablation, index: "Index", split: str) -> bool:
    from cxrkit.evaluation.ownership import holds_results_of
    from cxrkit.evaluation.run import identity_of
    from cxrkit.training.run_folder import BEST_MODEL

    own = identity_of(ablation.run_dir / BEST_MODEL, ablation.settings.task, split, index.fingerprint)
    return holds_results_of(ablation.results, own)


def _evaluate(ablation: Ablation, split: str, protocols: Sequence[str] | None, terminal: "Terminal") -> None:
    from cxrkit.config import VQASettings
    from cxrkit.evaluation.run import evaluate_model
    from cxrkit.training.run_folder import BEST_MODEL

    with terminal.bars() as bars:
        evaluate_model(
            ablation.run_dir / BEST_MODEL,
            ablation.settings,
            split=split,
            output_dir=ablation.results,
            protocols=protocols if isinstance(ablation.settings, VQASettings) else None,
            overwrite=True,
            progress=bars.report,
        )
