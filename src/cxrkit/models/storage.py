"""Weights on disk: safetensors, read back strictly."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from cxrkit.errors import ArtifactError

WEIGHTS_FILE = "model.safetensors"


def save_weights(model: nn.Module, folder: Path) -> None:
    """Writes every parameter and buffer of a model to `model.safetensors`."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, str(folder / WEIGHTS_FILE), metadata={"format": "pt"})


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
