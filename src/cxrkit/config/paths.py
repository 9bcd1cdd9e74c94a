"""The data sets' paths: which were set, and a clear error at the moment when the data is needed."""

from pathlib import Path

from cxrkit.config.settings import ClassifySettings, Settings
from cxrkit.config.values import PLACEHOLDER_ROOT
from cxrkit.errors import SettingsError

_OPTION_OF_KEY = {"mimic_cxr_jpg_path": "--mimic_cxr_path", "mimic_ext_cxr_qba_path": "--mimic_qa_path"}


def given_path(path: Path) -> Path | None:
    """Gives a data path, or None while it is still the placeholder `/path/to/...`.

    >>> given_path(Path("/path/to/MIMIC-CXR-JPG")) is None
    True
    """
    return None if path.is_relative_to(PLACEHOLDER_ROOT) else path


def require_data_paths(settings: Settings) -> None:
    """Returns when the data paths that the task needs are folders.

    A classifier trains without questions, so its path to MIMIC-Ext-CXR-QBA may stay unset.

    Raises:
        SettingsError: naming the option and the key of each path that is not a folder.
    """
    mistakes = []
    for key, option in _OPTION_OF_KEY.items():
        path: Path = getattr(settings.data, key)
        if given_path(path) is None:
            if not (isinstance(settings, ClassifySettings) and key == "mimic_ext_cxr_qba_path"):
                mistakes.append(f"data.{key}: still the placeholder {path}; give {option} or set the key")
        elif not path.is_dir():
            mistakes.append(f"data.{key}: {path} is not a folder; give {option} or set the key")
    if mistakes:
        raise SettingsError("the data is needed now", mistakes)
