"""The way to the Hugging Face Hub: asked about before training, tried again when it fails, never fatal."""

import logging
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cxrkit.config import CommonTrainingSettings
from cxrkit.config.secrets_file import secret
from cxrkit.errors import PublishingError, SettingsError

logger = logging.getLogger(__name__)

TOKEN = "HF_TOKEN"
WAITS = (1.0, 2.0, 4.0)  # seconds before each further try
# The library itself waits for ever, as it would behind a firewall that drops what it does not let through.
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0
_BUSY = (408, 425, 429)


@dataclass(frozen=True)
class Repository:
    """Where a model is sent.

    Attributes:
        name: `user/name`.
        is_private: only a private repository is made or written to.
    """

    name: str
    is_private: bool = True


def repository_of(training: CommonTrainingSettings) -> Repository | None:
    """Gives the repository that the settings name; None for no upload."""
    if training.hub_model_id is None:
        return None
    return Repository(training.hub_model_id, training.hub_private)


def hub_token() -> str | None:
    """Gives the hub's token: `HF_TOKEN`, from the environment or `~/.env`, or that of `hf auth login`."""
    from huggingface_hub import get_token

    return secret(TOKEN) or get_token()


def require_hub_name(hub_model_id: str | None) -> None:
    """Returns when the hub would take the repository's name; asked before training, not after.

    Raises:
        SettingsError: it would not.
    """
    if hub_model_id is None:
        return
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(hub_model_id)
        reason = "" if hub_model_id.count("/") == 1 else "the user or organization is missing"
    except HFValidationError as error:
        reason = str(error)
    if reason:
        mistake = f"training.hub_model_id: found {hub_model_id!r}, expected user/name ({reason})"
        raise SettingsError("training", [mistake])


def prepare_for_hub(training: CommonTrainingSettings) -> None:
    """Checks the repository's name and tells when the upload will fail for want of a token.

    Raises:
        SettingsError: the hub would refuse the name.
    """
    require_hub_name(training.hub_model_id)
    if training.hub_model_id is not None and hub_token() is None:
        logger.warning(
            "no %s in the environment or in ~/.env: training goes on, but its model will not be uploaded to "
            "%s; set it now, or send the model later with `cxrkit push`",
            TOKEN,
            training.hub_model_id,
        )


def upload(folder: Path, repository: Repository, waits: Sequence[float] = WAITS) -> str:
    """Sends a published folder to the hub, several times when it does not answer.

    Args:
        folder: from `write_upload_folder`.
        repository: where to; made when there is none.
        waits: seconds before each further try.

    Returns:
        Address of the commit.

    Raises:
        PublishingError: the hub refuses, or cannot be reached in so many tries.
    """
    import httpx2

    token = hub_token()
    if token is None:
        raise _failed(folder, repository, f"no {TOKEN} in the environment or in ~/.env")
    for wait in (*waits, None):
        try:
            with _quietly(), _within(CONNECT_SECONDS, ANSWER_SECONDS):
                return _send(folder, repository, token)
        # What the library raises: of HTTP, of the connection, of a worker thread, of a strange answer.
        except (httpx2.HTTPError, OSError, RuntimeError, ValueError, LookupError, TypeError) as error:
            reason = _reason(error)
            if wait is None or not _may_pass(error):
                raise _failed(folder, repository, reason) from error
            logger.info("the hub did not take the model (%s): once more in %g s", reason, wait)
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _send(folder: Path, repository: Repository, token: str) -> str:
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    api.create_repo(repository.name, private=repository.is_private, exist_ok=True)
    if repository.is_private and not api.repo_info(repository.name).private:
        # Of an earlier day, or made by somebody else: it stays as it is.
        raise PublishingError(
            f"the model was not uploaded to {repository.name}: that repository is public",
            expected="a private one, as training.hub_private says",
            next_step=f"make it private, name another, or say that the model may be public:\n"
            f"{_command(folder, repository)} --public",
        )
    commit = api.upload_folder(
        repo_id=repository.name, folder_path=str(folder), commit_message="Best model of a cxrkit training"
    )
    return str(commit.commit_url)


def _may_pass(error: Exception) -> bool:
    """Tells whether the same request may succeed a little later."""
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    if constants.HF_HUB_OFFLINE:
        return False
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return status >= 500 or status in _BUSY
    return not isinstance(error, ValueError | LookupError | TypeError | PermissionError | FileNotFoundError)


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        # Its own text has the address and the number of the request besides.
        return f"HTTP {error.response.status_code} {error.response.reason_phrase}"
    first, *_ = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {first}"


def _failed(folder: Path, repository: Repository, reason: str) -> PublishingError:
    return PublishingError(
        f"the model was not uploaded to {repository.name}; it is complete in {folder}",
        expected=f"a hub that can be reached, and a {TOKEN} that may write to {repository.name}",
        found=reason,
        next_step=f"{_command(folder, repository)}{'' if repository.is_private else ' --public'}",
    )


def _command(folder: Path, repository: Repository) -> str:
    return shlex.join(["cxrkit", "push", str(folder), "--hub_model_id", repository.name])


@contextmanager
def _within(connect: float, answer: float) -> Iterator[None]:
    """Lets the library's requests wait no longer than so many seconds for a connection, or for bytes."""
    from httpx2 import Timeout
    from huggingface_hub import get_session

    client = get_session()
    before = client.timeout
    client.timeout = Timeout(answer, connect=connect)
    try:
        yield
    finally:
        client.timeout = before


@contextmanager
def _quietly() -> Iterator[None]:
    """Keeps the library's own progress bars out of the terminal."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    was_disabled = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not was_disabled:
            enable_progress_bars()
