"""Follows a training with Weights & Biases: numbers and settings, no console, code or machine."""

import logging
import netrc
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cxrkit.config import Settings, WandbSettings
from cxrkit.config.secrets_file import secret
from cxrkit.reporting import write_atomically
from cxrkit.training.tracking.data_use import is_plain, sendable_settings

logger = logging.getLogger(__name__)
ID_FILE = "wandb_id.txt"


class WandbTracker:
    """One run of W&B; a training that goes on goes on with it.

    Online with a key (`WANDB_API_KEY` in the environment or in `~/.env`, or `wandb login`), otherwise offline
    into the folder `wandb` of the run, which `wandb sync` sends later.

    Args:
        settings: resolved.
    """

    def __init__(self, settings: Settings) -> None:
        import wandb

        run_dir, chosen = settings.training.output_dir, settings.wandb
        mode = _mode()
        if mode == "offline":
            logger.warning("no W&B key: tracking offline, into %s (`wandb sync` sends it)", run_dir / "wandb")
        self._run: Any = wandb.init(
            project=chosen.project,
            name=_plain_name(chosen, run_dir),
            group=chosen.group,
            tags=list(chosen.tags) or None,
            id=_id_of(run_dir),
            resume="allow",
            mode=mode,
            dir=str(run_dir),
            config=sendable_settings(settings),
            settings=_only_numbers(),
        )
        # A run that goes on sends some updates a second time: the update counts, not the order of sending.
        self._run.define_metric("*", step_metric="update")

    def send(self, values: Mapping[str, float], step: int) -> None:
        """Sends numbers."""
        self._run.log({**values, "update": step})

    def close(self) -> None:
        """Waits until all is written or sent."""
        self._run.finish()


def _only_numbers() -> Any:
    """Gives W&B's own settings with everything off that it would send unasked."""
    import wandb

    return wandb.Settings(
        api_key=secret("WANDB_API_KEY"),
        console="off",
        disable_git=True,
        disable_code=True,
        save_code=False,
        disable_job_creation=True,
        host="",
        silent=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )


def _mode() -> Any:
    asked = os.environ.get("WANDB_MODE")
    if asked:
        return asked
    return "online" if secret("WANDB_API_KEY") or _is_logged_in() else "offline"


def _is_logged_in() -> bool:
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _plain_name(chosen: WandbSettings, run_dir: Path) -> str | None:
    """Gives the run's name: that of the settings, or of its folder where that says nothing of patients."""
    if chosen.name is not None:
        return chosen.name
    return run_dir.name if is_plain(run_dir.name) else None


def _id_of(run_dir: Path) -> str:
    """Gives the run's id of W&B, made once and kept in its folder."""
    path = run_dir / ID_FILE
    if not path.is_file():
        # Not of the random numbers that training is made of.
        write_atomically(path, f"{secrets.token_hex(4)}\n".encode())
    return path.read_text(encoding="utf-8").strip()
