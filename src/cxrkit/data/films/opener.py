"""Opens the films of a workspace, however they are kept."""

from pathlib import Path

from cxrkit.data.films.on_the_fly import FilmFiles
from cxrkit.data.films.source import FilmSource
from cxrkit.data.films.store_record import read_store_record
from cxrkit.data.films.stored import ImageStore
from cxrkit.data.index import Index


def films_of(index: Index) -> FilmSource:
    """Gives the films of an opened index.

    Args:
        index: the opened index.

    Raises:
        ArtifactError: the films are damaged, or the workspace was prepared again since the index was opened.
    """
    films = open_films(index.workspace)
    index.require_current()
    return films


def open_films(workspace: Path) -> FilmSource:
    """Gives the films of a finished workspace: its store, or their files where it has none.

    Args:
        workspace: the folder given to `prepare_workspace`.

    Raises:
        ArtifactError: the workspace is missing, unfinished or damaged.
    """
    if read_store_record(workspace).stored:
        return ImageStore.open(workspace)
    return FilmFiles.open(workspace)
