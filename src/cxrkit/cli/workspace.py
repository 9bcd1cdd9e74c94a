"""The step that verbs share: open the workspace that is there, prepare the one that is missing."""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from cxrkit.cli.options import data_options
from cxrkit.config import ClassifySettings, Settings, VQASettings, given_path, require_data_paths
from cxrkit.errors import ArtifactError, SettingsError

if TYPE_CHECKING:
    from cxrkit.cli.terminal import ProgressBars
    from cxrkit.data.index import Index

AnySettings = TypeVar("AnySettings", bound=VQASettings | ClassifySettings)
FOLDERS_TO_NAME = ["--mimic_cxr_path", "FOLDER", "--mimic_qa_path", "FOLDER"]


def require_source(settings: Settings) -> None:
    """Returns when there is a workspace to open or data to prepare one from.

    A prepared workspace knows what it was made from, so the data paths may stay unset then.

    Raises:
        SettingsError: a data path is needed and not set, or set and not a folder.
    """
    data = settings.data
    unset = given_path(data.mimic_cxr_jpg_path) is None and given_path(data.mimic_ext_cxr_qba_path) is None
    if not (unset and (data.workspace / "index").is_dir()):
        require_data_paths(settings)


def open_workspace(settings: Settings, bars: "ProgressBars") -> "Index":
    """Gives the index of the settings' data; prepares the workspace when it is missing.

    A workspace that is there may have any image size; `require_pixels` says whether it is enough.

    Raises:
        SettingsError: a data path is needed and not set.
        ArtifactError: the workspace was made from other paths, or is damaged.
    """
    require_source(settings)
    data = settings.data
    from cxrkit.data.prepare import ensure_workspace

    return ensure_workspace(
        given_path(data.mimic_cxr_jpg_path),
        given_path(data.mimic_ext_cxr_qba_path),
        data.workspace,
        image_store_size=None if (data.workspace / "index").is_dir() else data.image_store_size,
        image_store=data.image_store,
        image_store_padding=data.image_store_padding,
        progress=bars.report,
        announce=bars.announce,
    )


def open_prepared(
    settings: Settings, overrides: Mapping[str, object], bars: "ProgressBars", *, own_config: bool
) -> "Index":
    """Gives the index to evaluate on; prepares only data that the command line itself names.

    Args:
        settings: resolved.
        overrides: what the command line says.
        bars: shows the progress of a preparation.
        own_config: the settings are from a file of the command line, not from the model's folder, whose
            record of where its own data was says nothing about another workspace.

    Raises:
        ArtifactError: there is no prepared workspace, or it was made from other data.
    """
    data = settings.data
    films, questions = given_path(data.mimic_cxr_jpg_path), given_path(data.mimic_ext_cxr_qba_path)
    if "data.mimic_cxr_jpg_path" in overrides:
        return open_workspace(settings, bars)
    if not (data.workspace / "index").is_dir():
        named = data_options(films, questions, data.workspace)
        prepare = ["cxrkit", "prepare", *([] if "--mimic_cxr_path" in named else FOLDERS_TO_NAME), *named]
        raise ArtifactError(
            "no prepared workspace to evaluate on",
            expected=f"the index of a workspace in {data.workspace}",
            found="no such folder" if not data.workspace.is_dir() else "a folder without an index",
            next_step=f"name the workspace with --workspace, or make it: {shlex.join(prepare)}",
        )
    from cxrkit.data.prepare import ensure_workspace

    ask_questions = own_config or "data.mimic_ext_cxr_qba_path" in overrides
    return ensure_workspace(
        films if own_config else None,
        questions if ask_questions else None,
        data.workspace,
        progress=bars.report,
    )


def as_prepared(settings: AnySettings, index: "Index") -> AnySettings:
    """Gives the settings with what was left open filled in from the workspace: its sources and image size."""
    data = settings.data
    filled: dict[str, object] = {
        name: index.settings[name] for name in ("image_store_size", "image_store", "image_store_padding")
    }
    if given_path(data.mimic_cxr_jpg_path) is None:
        filled["mimic_cxr_jpg_path"] = index.mimic_cxr_jpg_path
    if given_path(data.mimic_ext_cxr_qba_path) is None and index.mimic_ext_cxr_qba_path is not None:
        filled["mimic_ext_cxr_qba_path"] = index.mimic_ext_cxr_qba_path
    return cast(AnySettings, settings.model_copy(update={"data": data.model_copy(update=filled)}))


def require_pixels(index: "Index", image_size: int, expected_by: str) -> None:
    """Returns when the stored images are at least as large as the model's.

    Args:
        index: of the workspace.
        image_size: side of the square the model sees.
        expected_by: what says so: the key of the settings, or the model.

    Raises:
        SettingsError: they would have to be blown up.
    """
    stored = index.settings["image_store_size"]
    if stored < image_size:
        mistake = (
            f"{expected_by}: found {image_size}, expected at most the {stored} pixels of {index.workspace}; "
            f"a larger one: cxrkit prepare --workspace ANOTHER --set data.image_store_size={image_size}"
        )
        raise SettingsError("the images are needed now", [mistake])
