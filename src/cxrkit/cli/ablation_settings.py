"""The configurations that are compared: read, named after their files, and about the same questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxrkit.errors import SettingsError

if TYPE_CHECKING:
    from cxrkit.config import Settings

RESULTS = "evaluation_results"
REFERENCE = "full"
# What decides which questions are asked: figures on different ones cannot be compared.
_SAME = ("workspace", "quality_grade", "view_filter", "question_types", "max_samples")


@dataclass(frozen=True)
class Ablation:
    """One configuration.

    Attributes:
        path: its file.
        settings: resolved; the run's folder is named after the file.
    """

    path: Path
    settings: "Settings"

    @property
    def name(self) -> str:
        """What tables call it: the name of its file."""
        return self.path.stem

    @property
    def run_dir(self) -> Path:
        """The folder of run and results."""
        return self.settings.training.output_dir

    @property
    def results(self) -> Path:
        """The folder of the evaluation."""
        return self.run_dir / RESULTS


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
        Ablation(path, _in_folder(load_settings(path, None, overrides), output_dir / path.stem))
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
