"""Whether the model hub can be asked, told in a second instead of after a minute of retries."""

import socket
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from huggingface_hub import constants, try_to_load_from_cache


def hub_is_reachable() -> bool:
    """Tells whether the hub's name resolves, or a proxy stands in for it: no connection is made."""
    if constants.HF_HUB_OFFLINE:
        return False
    if {"https", "all"} & set(urllib.request.getproxies()):
        return True
    address = urlsplit(constants.ENDPOINT)
    try:
        socket.getaddrinfo(address.hostname, address.port or 443)
    except OSError:
        return False
    return True


def is_only_local(name: str) -> bool:
    """Tells whether a model is to be looked for on this machine alone: a folder, or no hub in reach."""
    return Path(name).is_dir() or not hub_is_reachable()


def find_cached_file(repository: str, names: tuple[str, ...]) -> Path | None:
    """Gives the first of these files that an earlier download left in the cache, or None.

    Args:
        repository: `owner/name`, with `@revision` when it is not the main one.
        names: file names in the order of preference.
    """
    owner_and_name, _, revision = repository.partition("@")
    for name in names:
        found = try_to_load_from_cache(owner_and_name, name, revision=revision or None)
        if isinstance(found, str):
            return Path(found)
    return None
