"""Room on the disk for what a training writes: asked for before, and told in words when it is gone."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxrkit.errors import ArtifactError

GIBIBYTE = 2**30
_FULL = (errno.ENOSPC, errno.EDQUOT)
# What safetensors and PyTorch say: both hide the number of the error in a text.
_WORDS = ("no space left", "disk quota exceeded", "file write failed", "os error 28", "os error 122")


def lacks_room(folder: Path, needed: int) -> bool:
    """Tells whether fewer than `needed` bytes are free where a folder is."""
    return shutil.disk_usage(folder).free < needed


def no_room(folder: Path, needed: int, what: str) -> ArtifactError:
    """Gives what to say when something does not fit any more.

    Args:
        folder: where.
        needed: bytes, as far as they are known.
        what: is to be written.
    """
    free = shutil.disk_usage(folder).free
    return ArtifactError(
        f"the disk has no room for {what}",
        expected=f"{needed / GIBIBYTE:.2f} GiB in {folder}",
        found=f"{free / GIBIBYTE:.2f} GiB available; what was saved before is whole",
        next_step="make room, or lower training.save_total_limit; the same command with "
        "--resume_from_checkpoint auto goes on from the last checkpoint",
    )


@contextmanager
def explained(folder: Path, needed: int, what: str) -> Iterator[None]:
    """Says in words that the disk became full inside the block; other errors pass.

    Raises:
        ArtifactError: the disk, or the user's share of it, is full.
    """
    try:
        yield
    except Exception as error:
        if _is_full(error):
            raise no_room(folder, needed, what) from error
        raise


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    text = str(error).lower()
    return any(words in text for words in _WORDS)
