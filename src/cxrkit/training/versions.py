"""The versions of what computes a training: with others, sums may differ in their last bits."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("cxrkit", "torch", "transformers", "accelerate", "deepspeed", "timm", "numpy", "numba", "triton")


def installed_versions() -> dict[str, str]:
    """Gives the version of Python and of each package that is installed, by name."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            # Optional ones need not be there.
            continue
    return found


def other_versions(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Gives what differs, in words.

    >>> other_versions({"torch": "2.14.1", "timm": "1.0"}, {"torch": "2.15.0", "timm": "1.0"})
    ['torch 2.14.1 before, 2.15.0 now']
    """
    return [
        f"{name} {before.get(name, 'not installed')} before, {now.get(name, 'not installed')} now"
        for name in dict.fromkeys([*before, *now])
        if before.get(name) != now.get(name)
    ]
