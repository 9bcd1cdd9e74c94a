"""Opens a workspace, preparing it first when there is none."""

import logging
import shlex
from collections.abc import Callable
from pathlib import Path

from cxrkit.data.films.shape import Padding
from cxrkit.data.index import Index
from cxrkit.data.index.artifact import read_fingerprint
from cxrkit.data.prepare.estimate import Estimate
from cxrkit.data.prepare.run import DEFAULT_STORE_SIZE, StageProgress, prepare_workspace
from cxrkit.data.prepare.sources import find_sources
from cxrkit.data.source_state import inputs_signature
from cxrkit.errors import ArtifactError, DataLayoutError

logger = logging.getLogger(__name__)


def ensure_workspace(
    mimic_cxr_path: Path | None,
    mimic_qa_path: Path | None,
    workspace: Path,
    image_store_size: int | None = None,
    *,
    image_store: bool = True,
    image_store_padding: Padding = "square",
    workers: int | None = None,
    progress: StageProgress | None = None,
    announce: Callable[[Estimate], None] | None = None,
) -> Index:
    """Opens the index of a workspace, preparing it first when there is none.

    Args:
        mimic_cxr_path: as for `prepare_workspace`; None takes what the workspace was made from.
        mimic_qa_path: the same.
        workspace: the folder.
        image_store_size: None takes the workspace's own, or the default for a new one.
        image_store: for a new workspace, as for `prepare_workspace`.
        image_store_padding: likewise.
        workers: likewise.
        progress: called as (stage, done, total) for a new workspace.
        announce: called with the estimate for a new workspace.

    Raises:
        ArtifactError: the workspace is unfinished, was made from other sources, from another state of
            them, or with another image size, or there is none and no source was named.
        DataLayoutError: an input is missing or unusable.
    """
    workspace = workspace.expanduser().resolve()
    if (workspace / "index").exists() or mimic_cxr_path is None:
        index = Index.open(workspace)
        _check_same_sources(index, mimic_cxr_path, mimic_qa_path, image_store_size)
        _check_unchanged_sources(index)
        return index
    prepare_workspace(
        mimic_cxr_path,
        mimic_qa_path,
        workspace,
        image_store_size or DEFAULT_STORE_SIZE,
        image_store=image_store,
        image_store_padding=image_store_padding,
        workers=workers,
        progress=progress,
        announce=announce,
    )
    return Index.open(workspace)


def _check_same_sources(index: Index, mimic: Path | None, qa: Path | None, size: int | None) -> None:
    wanted = {
        "MIMIC-CXR-JPG": (mimic, index.mimic_cxr_jpg_path),
        "MIMIC-Ext-CXR-QBA": (qa, index.mimic_ext_cxr_qba_path),
    }
    for name, (given, made_from) in wanted.items():
        if given is not None and given.expanduser().resolve() != made_from:
            raise ArtifactError(
                f"the workspace was made from another {name}",
                expected=str(given.expanduser().resolve()),
                found=f"{index.workspace} was made from {made_from}",
                next_step="pass another folder with --workspace, or run `cxrkit prepare` for this one again",
            )
    made_with = index.settings["image_store_size"]
    if size is not None and size != made_with:
        raise ArtifactError(
            "the workspace was made with another image size",
            expected=f"image_store_size {size}",
            found=f"{index.workspace} has {made_with}",
            next_step="pass another folder with --workspace, or run `cxrkit prepare` for this one again",
        )


def _check_unchanged_sources(index: Index) -> None:
    """Refuses data that changed after they were prepared; where they cannot be reached the index stands."""
    mimic, qa = index.mimic_cxr_jpg_path, index.mimic_ext_cxr_qba_path
    try:
        sources = find_sources(mimic, qa)
        signature = inputs_signature(sources.mimic, sources.qba)
    except (DataLayoutError, OSError) as error:
        logger.warning("whether the data of %s changed cannot be told: %s", index.workspace, error)
        return
    recorded = read_fingerprint(index.workspace)["inputs_signature"]
    if signature != recorded:
        raise ArtifactError(
            "the data changed since the workspace was prepared",
            expected=f"tables and questions with the signature {recorded[:12]}",
            found=f"signature {signature[:12]} of the files in {mimic}" + (f" and {qa}" if qa else ""),
            next_step=_prepare_command(index),
        )


def _prepare_command(index: Index) -> str:
    words = ["cxrkit", "prepare", "--mimic_cxr_path", str(index.mimic_cxr_jpg_path)]
    if index.mimic_ext_cxr_qba_path is not None:
        words += ["--mimic_qa_path", str(index.mimic_ext_cxr_qba_path)]
    size = index.settings["image_store_size"]
    words += ["--workspace", str(index.workspace)]
    words += ["--set", f"data.image_store_size={size}"] if size != DEFAULT_STORE_SIZE else []
    padding, stored = index.settings["image_store_padding"], index.settings["image_store"]
    words += ["--set", f"data.image_store_padding={padding}"] if padding != "square" else []
    words += [] if stored else ["--set", "data.image_store=false"]
    return f"run `{shlex.join(words)}`"
