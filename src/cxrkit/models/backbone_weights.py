"""Weights of a visual backbone from local files, checked against the backbone by name and shape.

timm loads a backbone that is cut into feature maps without complaint whatever the file holds; a file of
another network would leave random weights behind.
"""

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import load_state_dict
from torch import Tensor, nn

from cxrkit.errors import ArtifactError, WeightsError
from cxrkit.models.configuration import ClassifierConfig
from cxrkit.models.saved_model import WEIGHTS_FILE

State = dict[str, Tensor]

# What timm and the hub raise when weights are out of reach or do not fit, or a model cannot be built so.
BUILDING_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,
    TypeError,
    AttributeError,
    AssertionError,
    LookupError,
    EOFError,
    SafetensorError,
    pickle.UnpicklingError,
)
CLASSIFIER_PREFIX = "network."


# What shapes the inside of a network; heads and stems may differ from the file's.
_NOT_INSIDE = ("features_only", "out_indices", "in_chans", "drop_rate", "drop_path_rate")


def read_backbone_weights(
    path: Path, name: str, image_size: int | None, arguments: Mapping[str, Any] | None = None
) -> State:
    """Reads the weights of a backbone in timm's own names.

    Args:
        path: a weight file (safetensors, or a state dict of `torch.save`), or the `best_model` folder of a
            classifier with the same backbone.
        name: timm name of the backbone.
        image_size: side of the films in pixels, for the models that are built for one size.
        arguments: with which `timm.create_model` is to build the backbone.

    Raises:
        WeightsError: there is no such file, or weights are missing or of other shapes.
    """
    if path.is_dir():
        state = _of_classifier(path, name)
    elif path.is_file():
        state = _of_file(path, name)
    else:
        raise WeightsError(
            f"no weights at {path}",
            expected="a weight file, or the best_model folder of a classifier",
            found="no such file or folder",
            next_step="mend model.pretrained",
        )
    expected = _reference(name, image_size, arguments or {})
    state = _in_own_names(state, expected, path, name)
    _require_fit(state, expected, path, name)
    return state


def _of_classifier(folder: Path, name: str) -> State:
    try:
        config = ClassifierConfig.load(folder)
        state = load_file(str(folder / WEIGHTS_FILE))
    except (ArtifactError, OSError, SafetensorError) as error:
        raise WeightsError(
            f"the pretrained weights of {name} cannot be loaded",
            expected="a weight file, or the best_model folder of a classifier",
            found=f"{folder}\n{error}",
            next_step="--set model.pretrained=/path/to/weights.safetensors, or false for random weights",
        ) from error
    if config.visual_backbone != name:
        raise WeightsError(
            "the classifier's weights are of another backbone",
            expected=f"a classifier with visual_backbone {name}",
            found=f"{config.visual_backbone} in {folder}",
            next_step="make model.visual_backbone the same in both runs",
        )
    return {key.removeprefix(CLASSIFIER_PREFIX): value for key, value in state.items()}


def _of_file(path: Path, name: str) -> State:
    try:
        state = load_state_dict(str(path), weights_only=True)
    except BUILDING_ERRORS as error:
        reason = str(error).strip().splitlines()
        # PyTorch's own words advise to run the file's code.
        if isinstance(error, pickle.UnpicklingError) or "weights_only" in str(error):
            reason = ["no weights in it that can be read without running code"]
        raise WeightsError(
            f"the pretrained weights of {name} cannot be loaded",
            expected="a safetensors file, or a state dict written by torch.save",
            found=f"{type(error).__name__}: {reason[0] if reason else 'no reason given'} ({path})",
            next_step="--set model.pretrained=/path/to/weights.safetensors, or false for random weights",
        ) from error
    # timm knows the usual wrappers, but not this one.
    state = state["module"] if isinstance(state.get("module"), dict) else state
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    # The weights of one of our own classifiers, given without the folder around them.
    if any(key.startswith(CLASSIFIER_PREFIX) for key in tensors):
        return {key.removeprefix(CLASSIFIER_PREFIX): value for key, value in tensors.items()}
    return tensors


def _reference(name: str, image_size: int | None, given: Mapping[str, Any]) -> nn.Module:
    """Builds the whole network with random weights; without a head where it is not to have one."""
    arguments = {"num_classes": 0} | {key: value for key, value in given.items() if key not in _NOT_INSIDE}
    try:
        model: nn.Module = timm.create_model(name, img_size=image_size, **arguments)
    except TypeError:
        # Most networks take films of any size and know no such argument.
        model = timm.create_model(name, **arguments)
    return model


def _in_own_names(state: State, expected: nn.Module, path: Path, name: str) -> State:
    """Brings a file in its authors' layout into timm's, where timm knows how."""
    convert = getattr(sys.modules[type(expected).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    try:
        converted: State = convert(dict(state), expected)
    except BUILDING_ERRORS as error:
        raise _does_not_fit(
            path, name, f"{type(error).__name__} while reading its layout: {error}"
        ) from error
    return converted


def _require_fit(state: State, expected: nn.Module, path: Path, name: str) -> None:
    """Checks that every weight of the network is in the file; the file may hold a head besides."""
    head = _head_names(expected)
    own = {key: value for key, value in expected.state_dict().items() if key not in head}
    missing = sorted(set(own) - set(state))
    reshaped = sorted(key for key in set(own) & set(state) if own[key].shape != state[key].shape)
    stem = _stem_names(expected)
    reshaped = [key for key in reshaped if key not in stem]
    if missing or reshaped:
        unknown = sorted(set(state) - set(own))
        parts = [
            f"{len(names)} of {len(own)} {word}: {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"
            for word, names in (("missing", missing), ("of another shape", reshaped))
            if names
        ]
        if unknown:
            parts.append(f"it holds instead: {', '.join(unknown[:3])}{' ...' if len(unknown) > 3 else ''}")
        raise _does_not_fit(path, name, "\n".join(parts))


def _head_names(model: Any) -> set[str]:
    head = model.get_classifier()
    # Distilled transformers have two.
    parts = head if isinstance(head, tuple | list) else (head,)
    own = {id(weight) for part in parts for weight in part.parameters()}
    return {name for name, weight in model.named_parameters() if id(weight) in own}


def _stem_names(model: nn.Module) -> set[str]:
    first = (getattr(model, "pretrained_cfg", None) or {}).get("first_conv") or ()
    return {f"{part}.weight" for part in ((first,) if isinstance(first, str) else first)}


def _does_not_fit(path: Path, name: str, found: str) -> WeightsError:
    return WeightsError(
        f"the weights do not fit the visual backbone {name}",
        expected=f"the weights of {name}, with or without its head",
        found=f"{path}\n{found}",
        next_step="pass weights of this backbone, or name theirs in model.visual_backbone",
    )
