"""The step that verbs share: open the workspace that is there, prepare the one that is missing."""

from typing import TYPE_CHECKING

from cxrkit.config import Settings, given_path, require_data_paths

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
    from cxrkit.data.prepare import ensure_workspace

    return ensure_workspace(
        given_path(settings.data.mimic_cxr_jpg_path),
        given_path(settings.data.mimic_ext_cxr_qba_path),
        settings.data.workspace,
        image_store_size=settings.data.image_store_size,
        progress=bars.report,
    )
