"""Films for the report's gallery, read from the workspace."""

from pathlib import Path

import numpy as np

from cxrkit.data.films.opener import films_of
from cxrkit.data.index import Index
from cxrkit.evaluation.films import Film, FilmLookup


def workspace_films(workspace: Path) -> FilmLookup:
    """Gives a lookup of films by `dicom_id` in a prepared workspace.

    Args:
        workspace: the folder that `cxrkit prepare` wrote.

    Raises:
        ArtifactError: the index or the image store is missing or unfinished.
    """
    index = Index.open(workspace)
    store = films_of(index)
    dicom_ids = index.images.column("dicom_id")

    def find(dicom_id: str) -> Film | None:
        row = int(dicom_ids.index(dicom_id).as_py())
        if row < 0:
            return None
        pad_x, pad_y = float(store.pad_x[row]), float(store.pad_y[row])
        return Film(np.asarray(store.read(row)), float(store.scale[row]), pad_x, pad_y)

    return find
