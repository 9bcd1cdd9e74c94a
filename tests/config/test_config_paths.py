"""The data paths are asked for when the data is needed, not before."""

import pytest

from cxrkit.config import load_settings, require_data_paths
from cxrkit.errors import SettingsError


def test_placeholders_load_but_are_refused_when_data_is_needed():
    with pytest.raises(SettingsError) as caught:
        require_data_paths(load_settings(None, "vqa"))
    first, second = caught.value.mistakes
    assert "data.mimic_cxr_jpg_path" in first
    assert "--mimic_cxr_path" in first
    assert "data.mimic_ext_cxr_qba_path" in second
    assert "--mimic_qa_path" in second


def test_a_path_that_is_no_folder_is_named(tmp_path):
    overrides = {"data.mimic_cxr_jpg_path": tmp_path / "absent", "data.mimic_ext_cxr_qba_path": tmp_path}
    with pytest.raises(SettingsError) as caught:
        require_data_paths(load_settings(None, "classify", overrides))
    (mistake,) = caught.value.mistakes
    assert "absent is not a folder" in mistake


def test_folders_pass(tmp_path):
    overrides = {"data.mimic_cxr_jpg_path": tmp_path, "data.mimic_ext_cxr_qba_path": tmp_path}
    require_data_paths(load_settings(None, "vqa", overrides))
