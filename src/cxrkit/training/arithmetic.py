"""How the same network is computed: in a fixed order, compiled, with channels last."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cxrkit.config import Settings
from cxrkit.errors import SettingsError

# cuBLAS needs its work space fixed to sum in a fixed order; its own documentation names this value.
CUBLAS_WORKSPACE = ":4096:8"
_WITHOUT = "does not have a deterministic implementation"


@contextmanager
def fixed_order(is_wanted: bool) -> Iterator[None]:
    """Lets PyTorch use only what gives the same bits each time, while inside.

    Args:
        is_wanted: the setting `training.deterministic`.

    Raises:
        SettingsError: a part of the network has no such computation on this device.
    """
    if not is_wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    except RuntimeError as error:
        if _WITHOUT not in str(error):
            raise
        name = str(error).partition(_WITHOUT)[0].strip()
        mistake = f"training.deterministic: {name} gives other bits each time on this device; found true"
        raise SettingsError("training", [mistake]) from error
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


def seed_anew(seed: int, step: int, process: int) -> None:
    """Gives a process random numbers of its own, such as for dropout, from an update on.

    Args:
        seed: of the run.
        step: updates done.
        process: its number.
    """
    words = np.random.SeedSequence([seed, step, process]).generate_state(2, np.uint64)
    torch.manual_seed(int(words[0]) & (2**63 - 1))
    random.seed(int(words[1]))
    np.random.seed(int(words[1]) & (2**32 - 1))  # noqa: NPY002 - of others that draw from it


def dcnv3_backend(settings: Settings) -> str:
    """Gives the backend of DCNv3: on a GPU, Triton's sums gradients in no fixed order.

    Args:
        settings: resolved.

    Raises:
        SettingsError: `triton` is asked for together with `training.deterministic`.
    """
    asked: str = settings.model.dcnv3_backend
    if not (settings.training.deterministic and torch.cuda.is_available()):
        return asked
    if asked == "triton":
        mistake = "model.dcnv3_backend: found triton, expected reference with training.deterministic"
        raise SettingsError("model", [mistake])
    return "reference"


def use_channels_last(backbone: nn.Module) -> None:
    """Puts the weights of a backbone, and the films that go into it, into channels-last order.

    Args:
        backbone: takes films `[B, 3, H, W]` first.
    """
    backbone.to(memory_format=torch.channels_last)
    backbone.register_forward_pre_hook(_films_in_order)


def _films_in_order(_module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    films: Tensor = given[0]
    return (films.contiguous(memory_format=torch.channels_last), *given[1:])
