"""Which way of computing DCNv3 is taken, and why."""

import importlib.util
import os
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from cxrkit.errors import CxrkitError

Backend: TypeAlias = Literal["auto", "cpu", "triton", "reference"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
BACKEND_VARIABLE = "CXRKIT_DCNV3_BACKEND"
_WHERE = {
    "cpu": "tensors on the CPU and the package numba",
    "triton": "tensors on a GPU and the package triton (or TRITON_INTERPRET=1 on the CPU)",
}


@dataclass(frozen=True)
class BackendChoice:
    """A way of computing the operator, and why it was taken."""

    name: str
    reason: str


def choose_backend(device: str, backend: str = "auto") -> BackendChoice:
    """Chooses the way for tensors on a kind of device.

    Args:
        device: `cpu`, `cuda` or another type of a `torch.device`.
        backend: one of `BACKENDS`; `auto` asks the environment variable `CXRKIT_DCNV3_BACKEND`, and without
            it takes the fastest that can run.

    Raises:
        CxrkitError: there is no such way, or it cannot run here; another is never taken in its place.
    """
    asked = backend
    if backend == "auto":
        asked = os.environ.get(BACKEND_VARIABLE, "auto")
    if asked not in BACKENDS:
        source = f" (from {BACKEND_VARIABLE})" if backend == "auto" else ""
        raise CxrkitError(
            f"unknown backend of dcnv3: {asked!r}{source}",
            expected=", ".join(BACKENDS),
            next_step="name one of them",
        )
    if asked == "auto":
        return _fastest(device)
    missing = _what_is_missing(asked, device)
    if missing:
        raise CxrkitError(
            f"dcnv3 cannot be computed by {asked}",
            expected=_WHERE[asked],
            found=missing,
            next_step="auto takes one that runs here, reference runs everywhere (model.dcnv3_backend, the "
            f"argument backend, or {BACKEND_VARIABLE})",
        )
    return BackendChoice(asked, "asked for")


def _fastest(device: str) -> BackendChoice:
    for name, reason in (("cpu", "machine code made by numba"), ("triton", "fused kernel for the GPU")):
        if (name == "cpu") == (device == "cpu") and not _what_is_missing(name, device):
            return BackendChoice(name, reason)
    missing = _what_is_missing("cpu" if device == "cpu" else "triton", device)
    return BackendChoice("reference", f"plain PyTorch, slower: {missing}")


def _what_is_missing(name: str, device: str) -> str:
    """Gives why a way cannot run; empty when it can."""
    if name == "cpu":
        if device != "cpu":
            return f"tensors on {device}"
        return "" if importlib.util.find_spec("numba") else "numba is not installed (pip install numba)"
    if name == "triton":
        if device != "cuda" and not (device == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"):
            return f"tensors on {device}"
        return "" if importlib.util.find_spec("triton") else "triton is not installed (pip install triton)"
    return ""
