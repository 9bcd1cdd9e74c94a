"""The weights of a module in a file, whatever engine holds them in memory."""

from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cxrkit.errors import ArtifactError


def save_weights(module: nn.Module, path: Path) -> None:
    """Writes the weights and buffers of a module.

    A weight with several names is written under the first one. DeepSpeed keeps all weights in one buffer, of
    which each is a view: what is written is the view alone.
    """
    own = _by_first_name(module)
    save_file({name: _alone(value) for name, value in own.items()}, path)


def load_weights(module: nn.Module, path: Path) -> None:
    """Loads what `save_weights` wrote.

    Raises:
        ArtifactError: a weight is missing, or there is one that the module does not have.
    """
    loaded, expected = load_file(path), _by_first_name(module)
    if loaded.keys() != expected.keys():
        raise ArtifactError(
            f"{path} holds the weights of another model",
            expected=", ".join(sorted(expected.keys() - loaded.keys())[:3]) or "no others",
            found=", ".join(sorted(loaded.keys() - expected.keys())[:3]) or "fewer",
            next_step="go on with the settings of the run (config.json in its folder)",
        )
    # A weight's other names are not in the file, and are set with it.
    module.load_state_dict(loaded, strict=False)


def _by_first_name(module: nn.Module) -> dict[str, Tensor]:
    seen: set[tuple[object, ...]] = set()
    own = {}
    for name, value in module.state_dict().items():
        place = (value.data_ptr(), value.shape, value.dtype, value.stride())
        if value.numel() == 0 or place not in seen:
            own[name] = value
        seen.add(place)
    return own


def _alone(value: Tensor) -> Tensor:
    is_whole = value.untyped_storage().nbytes() == value.numel() * value.element_size()
    return value.contiguous() if is_whole else value.contiguous().clone()
