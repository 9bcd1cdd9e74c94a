"""Opens the trackers that the settings ask for."""

import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path

from cxrkit.config import Settings
from cxrkit.training.tracking.tracking import Tracker
from cxrkit.training.tracking.weights_and_biases import WandbTracker

logger = logging.getLogger(__name__)
TENSORBOARD = "tensorboard"


class TensorBoardTracker:
    """Writes event files for TensorBoard into the run's folder.

    Args:
        run_dir: the run's folder.
        step: updates done; what an interrupted run wrote after them is hidden.
    """

    def __init__(self, run_dir: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run_dir / TENSORBOARD), purge_step=step + 1 if step else None)

    def send(self, values: Mapping[str, float], step: int) -> None:
        """Writes numbers."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Writes what is left."""
        self._writer.close()


def open_trackers(settings: Settings, step: int) -> list[Tracker]:
    """Gives TensorBoard, and W&B where it is wanted, installed and can be started.

    Args:
        settings: resolved.
        step: updates done before.
    """
    run_dir = settings.training.output_dir
    trackers: list[Tracker] = [TensorBoardTracker(run_dir, step)]
    if not settings.wandb.enabled:
        return trackers
    if importlib.util.find_spec("wandb") is None:
        logger.warning("wandb is not installed: logging to TensorBoard only (pip install 'cxrkit[wandb]')")
        return trackers
    try:
        trackers.append(WandbTracker(settings))
    except Exception as error:  # noqa: BLE001
        # A refused key or a server that is away must not cost the training.
        logger.warning("W&B could not be started (%s: %s): going on without", type(error).__name__, error)
    return trackers
