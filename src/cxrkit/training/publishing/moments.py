"""When the best model is sent to the hub: at the end, and before it in a process of its own."""

import logging
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cxrkit.config import CommonTrainingSettings
from cxrkit.errors import CxrkitError
from cxrkit.training.best_models import OVERALL, BestModels, Kept
from cxrkit.training.publishing.hub import repository_of, upload
from cxrkit.training.publishing.published_files import UPLOAD_FOLDER
from cxrkit.training.publishing.upload_folder import write_upload_folder

logger = logging.getLogger(__name__)

LOG_FILE = "hub_push.log"
SNAPSHOT = ".hub_push-{step}-{weights}"


@dataclass
class _Push:
    """A best model that is to be sent: which one, its own copy of the published folder, who sends it."""

    kept: Kept
    folder: Path
    process: subprocess.Popen[bytes] | None = None


class Publisher(TrainerCallback):
    """Leaves `hub_upload/` behind, and sends the best model at the moments that the settings choose.

    While training goes on, a process of its own sends a snapshot (hard links): training neither waits for the
    hub nor shares its interpreter with it. A better model that comes meanwhile takes the place of one that
    waits.

    Args:
        run_dir: the run's folder.
        training: which repository, when.
        best: the models that are kept.
    """

    def __init__(self, run_dir: Path, training: CommonTrainingSettings, best: BestModels) -> None:
        self.run_dir = run_dir
        self.best = best
        self.repository = repository_of(training)
        self.moment = "end" if self.repository is None else training.hub_push
        self._running: _Push | None = None
        self._waiting: _Push | None = None
        self._seen: Kept | None = None
        self._sent: Kept | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Removes the snapshots that a killed training left."""
        if state.is_world_process_zero:
            for leftover in self.run_dir.glob(SNAPSHOT.format(step="*", weights="*")):
                shutil.rmtree(leftover, ignore_errors=True)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Sends a model that became the best."""
        if self.moment == "best" and state.is_world_process_zero:
            self._offer()

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Sends the best model when it is another one than at the checkpoint before."""
        if self.moment == "checkpoint" and state.is_world_process_zero:
            self._offer()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Looks whether the process that sends has ended."""
        self._follow()

    def finish(self) -> None:
        """Writes `hub_upload/`, and sends it when its model was not sent yet; called by one process only."""
        kept = self.best.best[OVERALL]
        self._drop_waiting()
        if self._running is not None and self._running.kept == kept:
            self._end_running(wait=True)
        self.close()
        folder = self.run_dir / UPLOAD_FOLDER
        try:
            write_upload_folder(self.run_dir, folder)
            if self.repository is not None and self._sent != kept:
                logger.info("uploaded: %s", upload(folder, self.repository))
        except (CxrkitError, OSError) as error:
            # The training is done; that nobody else has its model yet can be mended.
            logger.warning("%s", error)

    def close(self) -> None:
        """Ends what is being sent, and removes its snapshot; the hub takes a model whole or not at all."""
        self._drop_waiting()
        if self._running is not None:
            self._end_running(wait=False)

    def _offer(self) -> None:
        kept = self.best.best.get(OVERALL)
        if kept is None or kept == self._seen:
            return
        self._seen = kept
        self._drop_waiting()
        folder = self.run_dir / SNAPSHOT.format(step=kept.step, weights=kept.weights)
        try:
            write_upload_folder(self.run_dir, folder)
        except (CxrkitError, OSError) as error:
            logger.warning("the model after %d updates is not sent to the hub: %s", kept.step, error)
            return
        self._waiting = _Push(kept, folder)
        self._follow()

    def _follow(self) -> None:
        if self._running is not None and _process_of(self._running).poll() is not None:
            self._end_running(wait=True)
        if self._running is None and self._waiting is not None:
            self._running, self._waiting = self._waiting, None
            self._running.process = self._start(self._running.folder)

    def _start(self, folder: Path) -> subprocess.Popen[bytes]:
        assert self.repository is not None
        words = [sys.executable, "-m", "cxrkit", "push", str(folder), "--hub_model_id", self.repository.name]
        words += [] if self.repository.is_private else ["--public"]
        log: IO[bytes]
        with (self.run_dir / LOG_FILE).open("ab") as log:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def _end_running(self, *, wait: bool) -> None:
        assert self._running is not None
        push, self._running = self._running, None
        process = _process_of(push)
        if not wait:
            process.terminate()
        code = process.wait()
        shutil.rmtree(push.folder, ignore_errors=True)
        if code == 0:
            self._sent = push.kept
            logger.info("the model after %d updates was uploaded", push.kept.step)
        elif wait:
            logger.warning(
                "the model after %d updates was not uploaded, training goes on; why is in %s",
                push.kept.step,
                self.run_dir / LOG_FILE,
            )

    def _drop_waiting(self) -> None:
        if self._waiting is not None:
            shutil.rmtree(self._waiting.folder, ignore_errors=True)
            self._waiting = None


def _process_of(push: _Push) -> subprocess.Popen[bytes]:
    assert push.process is not None
    return push.process
