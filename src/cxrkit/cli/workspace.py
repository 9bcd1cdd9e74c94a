"""The step that verbs share: open the workspace that is there, prepare the one that is missing."""

from typing import TYPE_CHECKING

from cxrkit.config import Settings, given_path, require_data_paths
from cxrkit.errors import SettingsError

if TYPE_CHECKING:
    from cxrkit.cli.terminal import ProgressBars
    from cxrkit.data.index import Index


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
        # Not asked for in so many words, the size is the one the workspace has.
        image_store_size=data.image_store_size if "image_store_size" in data.model_fields_set else None,
        progress=bars.report,
    )


def as_prepared(settings: Settings, index: "Index") -> Settings:
    """Gives the settings with what was left open filled in from the workspace: its sources and image size."""
    data = settings.data
    filled: dict[str, object] = {"image_store_size": index.settings["image_store_size"]}
    if given_path(data.mimic_cxr_jpg_path) is None:
        filled["mimic_cxr_jpg_path"] = index.mimic_cxr_jpg_path
    if given_path(data.mimic_ext_cxr_qba_path) is None and index.mimic_ext_cxr_qba_path is not None:
        filled["mimic_ext_cxr_qba_path"] = index.mimic_ext_cxr_qba_path
    return settings.model_copy(update={"data": data.model_copy(update=filled)})


def require_pixels(index: "Index", settings: Settings) -> None:
    """Returns when the stored images are at least as large as the model's.

    Raises:
        SettingsError: they would have to be blown up.
    """
    stored, wanted = index.settings["image_store_size"], settings.data.image_size
    if stored < wanted:
        mistake = (
            f"data.image_size: found {wanted}, expected at most the {stored} pixels of {index.workspace}"
        )
        raise SettingsError("the images are needed now", [mistake])
