"""Several configurations trained and evaluated in turn; one that fails does not stop the others."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cxrkit.cli.ablation_settings import Ablation
from cxrkit.errors import CxrkitError, ProcessLostError, SettingsError, TrainingStopped

if TYPE_CHECKING:
    from cxrkit.cli.terminal import Terminal
    from cxrkit.data.index import Index

logger = logging.getLogger(__name__)
AGAIN = "the same command again goes on; what is finished is kept"


@dataclass(frozen=True)
class Failed:
    """An ablation that came to no result.

    Attributes:
        name: which.
        stage: `training` or `evaluation`.
        error: why, in words. Not the exception: its traceback would keep the model in the GPU's memory.
    """

    name: str
    stage: str
    error: str


@dataclass
class Done:
    """What came of the ablations.

    Attributes:
        whole: those that came through, the reference first.
        failed: the others.
    """

    whole: list[Ablation] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


def require_protocols(names: Sequence[str]) -> None:
    """Returns when every protocol is known, so that a slip is told before days of training.

    Raises:
        SettingsError: one is unknown.
    """
    from cxrkit.inference.protocols import PROTOCOLS

    known = ", ".join(PROTOCOLS)
    mistakes = [
        f"--protocols: {name!r} is unknown; known: {known}" for name in names if name not in PROTOCOLS
    ]
    if mistakes:
        raise SettingsError("command line", mistakes)


def train_all(ablations: Sequence[Ablation], index: "Index", terminal: "Terminal") -> Done:
    """Trains each ablation, goes on with those that broke off, and leaves finished ones alone.

    Args:
        ablations: from `read_ablations`.
        index: of their workspace.
        terminal: shows progress.

    Raises:
        TrainingStopped: a signal asked to stop; the same command goes on.
        ProcessLostError: a process died, and with it what the others wait for.
    """

    def train(ablation: Ablation, label: str) -> None:
        if _is_trained(ablation, index):
            terminal.say(f"{label}: trained already")
        else:
            terminal.say(f"{label}: training")
            _train(ablation, index, terminal)

    return _each(ablations, "training", train)


def evaluate_all(
    ablations: Sequence[Ablation], index: "Index", split: str, protocols: Sequence[str], terminal: "Terminal"
) -> Done:
    """Evaluates each trained ablation, and leaves results of this very model, split and data alone.

    Args:
        ablations: the trained ones.
        index: of their workspace.
        split: `train`, `validate` or `test`.
        protocols: of VQA models.
        terminal: shows progress.
    """

    def evaluate(ablation: Ablation, label: str) -> None:
        if _is_evaluated(ablation, index, split, protocols):
            terminal.say(f"{label}: evaluated already")
        else:
            terminal.say(f"{label}: evaluating on the {split} split")
            _evaluate(ablation, split, protocols, terminal)

    return _each(ablations, "evaluation", evaluate)


def _each(ablations: Sequence[Ablation], stage: str, do: Callable[[Ablation, str], None]) -> Done:
    from cxrkit.training.arguments import processes

    done = Done()
    for number, ablation in enumerate(ablations, start=1):
        try:
            do(ablation, f"{ablation.name} ({number} of {len(ablations)})")
            done.whole.append(ablation)
        except (TrainingStopped, ProcessLostError) as error:
            # Theirs names an option of `train`: here an unfinished run is always gone on with.
            error.next_step = AGAIN
            raise
        except CxrkitError as error:
            logger.warning("%s: %s", ablation.name, error)
            done.failed.append(Failed(ablation.name, stage, str(error)))
        except Exception as error:
            # Memory that ran out, a file that vanished, a defect: hours of the others' training outlive it.
            if stage == "training" and processes() > 1:
                # The others may still wait inside this ablation: going on, this one would never meet them.
                raise
            logger.exception("%s: %s failed", ablation.name, stage)
            done.failed.append(Failed(ablation.name, stage, f"{type(error).__name__}: {error}"))
    return done


def _is_trained(ablation: Ablation, index: "Index") -> bool:
    from cxrkit.cli.workspace import as_prepared
    from cxrkit.training.resume import describe_run, differences
    from cxrkit.training.run_folder import BEST_MODEL, read_run

    recorded = read_run(ablation.run_dir)
    if recorded is None or not recorded["finished"] or not (ablation.run_dir / BEST_MODEL).is_dir():
        return False
    now = describe_run(as_prepared(ablation.settings, index), index.fingerprint)
    return not differences(recorded["run"], now, there="in the run")


def _train(ablation: Ablation, index: "Index", terminal: "Terminal") -> None:
    from cxrkit.cli.train_verbs import run_training
    from cxrkit.cli.workspace import as_prepared

    with terminal.bars() as bars:
        run_training(as_prepared(ablation.settings, index), bars)


def _is_evaluated(ablation: Ablation, index: "Index", split: str, protocols: Sequence[str]) -> bool:
    from cxrkit.config import VQASettings
    from cxrkit.evaluation.ownership import holds_results_of
    from cxrkit.evaluation.run import identity_of
    from cxrkit.training.run_folder import BEST_MODEL

    settings = ablation.settings
    own = identity_of(ablation.run_dir / BEST_MODEL, settings.task, split, index.fingerprint)
    # A classifier always has its own controls; what a VQA model itself reads is in its report as `model`.
    asked = (
        set(protocols) - {settings.model.scene_graph_source} if isinstance(settings, VQASettings) else set()
    )
    return holds_results_of(ablation.results, own, asked)


def _evaluate(ablation: Ablation, split: str, protocols: Sequence[str], terminal: "Terminal") -> None:
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
