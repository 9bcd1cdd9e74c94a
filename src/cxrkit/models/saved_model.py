"""Models on disk: `transformers`-style saving, and loading that is strict about every weight."""

import logging
from pathlib import Path
from typing import Any, Self

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging as progress

from cxrkit.errors import ArtifactError
from cxrkit.models.calibration import CALIBRATION_FILE
from cxrkit.models.configuration import ModelConfig
from cxrkit.models.hub import hub_is_reachable

logger = logging.getLogger(__name__)

WEIGHTS_FILE = "model.safetensors"
# What a model consists of; nothing else is fetched from the hub or sent there.
MODEL_FILES = ("config.json", WEIGHTS_FILE, CALIBRATION_FILE, "tokenizer/*")
_OF_THE_HUB = ("cache_dir", "force_download", "local_files_only", "revision", "token")
# Handed on by the Auto classes; they say nothing to a model whose code is already here.
_IGNORED = {"trust_remote_code", "adapter_kwargs", "code_revision", "weights_only", "use_safetensors"}


class SavedModel(PreTrainedModel):
    """A model with `save_pretrained`, `push_to_hub`, and `from_pretrained` that accepts no wrong weight.

    The engine's own loading fills what a file lacks with random numbers and a warning; an evaluation of such
    a model would look like a result. Here every name and shape must fit, and the parts keep the weights they
    were built with.
    """

    config_class: type[ModelConfig]
    main_input_name = "images"
    _supports_sdpa = True

    def init_weights(self) -> None:
        """Leaves the weights as the parts set them: pretrained backbones must not be drawn again."""

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> None:
        """Writes configuration and weights (safetensors) into a folder, without a progress bar of its own."""
        repository = (
            kwargs.pop("repo_id", Path(save_directory).name) if kwargs.pop("push_to_hub", False) else None
        )
        shows_bars = progress.is_progress_bar_enabled()
        progress.disable_progress_bar()
        try:
            super().save_pretrained(save_directory, *args, **kwargs)
        finally:
            if shows_bars:
                progress.enable_progress_bar()
        # After all files are there: the engine would send those alone that it writes itself.
        if repository is not None:
            self.push_to_hub(repository, **kwargs)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, pretrained_model_name_or_path: str | Path, *_: Any, config: Any = None, **kwargs: Any
    ) -> Self:
        """Loads a model in evaluation mode.

        Args:
            pretrained_model_name_or_path: a folder that `save_pretrained` wrote, or a hub name.
            config: in place of the folder's own.
            kwargs: where the hub is asked: `revision`, `token`, `cache_dir`, `local_files_only`,
                `force_download`.

        Raises:
            ArtifactError: there is no such model, or its weights do not fit; never a random start.
            TypeError: an argument that this loading does not have; half precision is `torch.autocast`.
        """
        dtype = kwargs.pop("dtype", kwargs.pop("torch_dtype", None))
        if dtype not in (None, "auto", "float32", torch.float32):
            raise TypeError(f"{cls.__name__} keeps its weights in float32; run it under torch.autocast")
        where = {name: kwargs.pop(name) for name in _OF_THE_HUB if name in kwargs}
        refused = sorted(set(kwargs) - _IGNORED)
        if refused:
            raise TypeError(f"{cls.__name__}.from_pretrained takes no {', '.join(refused)}")
        folder = _model_folder(pretrained_model_name_or_path, where)
        model = cls(cls.config_class.load(folder) if config is None else config)
        load_weights(model, folder)
        model.read_companions(folder)
        nn.Module.eval(model)
        return model

    def read_companions(self, folder: Path) -> None:
        """Reads what belongs to the model besides weights; nothing here."""


def _model_folder(name: str | Path, where: dict[str, Any]) -> Path:
    folder = Path(name)
    if folder.is_dir() or folder.is_absolute() or str(name).count("/") != 1:
        return folder
    where["local_files_only"] = where.get("local_files_only") or not hub_is_reachable()
    try:
        return Path(snapshot_download(str(name), allow_patterns=list(MODEL_FILES), **where))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"the model {name} cannot be had",
            expected="a local folder, a name on the hub, or one in the cache (HF_HUB_OFFLINE=1)",
            found=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            next_step="pass the best_model folder of a run, e.g. checkpoints/<run>/best_model",
        ) from error


def load_weights(model: nn.Module, folder: Path) -> None:
    """Reads `model.safetensors` into a model; every name and shape must match.

    Raises:
        ArtifactError: the file is missing or damaged, or names or shapes differ.
    """
    path = folder / WEIGHTS_FILE
    try:
        state = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            f"the weights in {folder} cannot be read",
            expected=f"a whole {WEIGHTS_FILE}",
            found=str(error),
            next_step="copy the model folder again, or take another checkpoint",
        ) from error
    expected = model.state_dict()
    differing = sorted(set(state) ^ set(expected))
    differing += sorted(
        name for name in set(state) & set(expected) if state[name].shape != expected[name].shape
    )
    if differing:
        raise ArtifactError(
            f"{path} does not fit the model: {len(differing)} of {len(expected)} weights differ",
            expected="the same names and shapes as the configuration beside it describes",
            found=", ".join(differing[:5]) + (" ..." if len(differing) > 5 else ""),
            next_step="take config.json and model.safetensors from the same folder",
        )
    model.load_state_dict(state, strict=True)
