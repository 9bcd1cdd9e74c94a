"""Sends a finished model to the Hugging Face Hub when the settings ask for it."""

import logging
from pathlib import Path

from cxrkit.errors import SettingsError

logger = logging.getLogger(__name__)

# By allow-list: weights and their description, never data, predictions or optimizer states.
PUBLISHED = ["config.json", "model.safetensors", "tokenizer/*", "training_metadata.json"]


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
    except HFValidationError as error:
        mistake = f"training.hub_model_id: found {hub_model_id!r}, expected user/name ({error})"
        raise SettingsError("training", [mistake]) from error


def publish(best_model: Path, hub_model_id: str | None) -> None:
    """Uploads a model to a private repository; a hub that cannot be reached does not undo the training.

    Args:
        best_model: folder of the model.
        hub_model_id: `user/name`, or None for no upload.
    """
    if hub_model_id is None:
        return
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api = HfApi()
        api.create_repo(hub_model_id, private=True, exist_ok=True)
        api.upload_folder(repo_id=hub_model_id, folder_path=str(best_model), allow_patterns=PUBLISHED)
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        logger.warning(
            "the model was not uploaded to %s (%s); it is complete in %s",
            hub_model_id,
            type(error).__name__,
            best_model,
        )
