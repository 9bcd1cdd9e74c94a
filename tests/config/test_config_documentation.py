"""docs/configuration.md and the YAML files of configs/ keep up with the settings."""

import re
from pathlib import Path

import pytest
import yaml

from cxrkit.config import SETTINGS_OF_TASK, ClassifySettings, VQASettings, keys_of, load_settings
from cxrkit.config.describe import Key

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "configuration.md"


def table_row(key: Key) -> str:
    """The line that documents a key; copy it from a failure into the document."""
    default = (
        yaml.safe_dump(key.default, default_flow_style=True) if not isinstance(key.default, Path) else ""
    )
    default = default.removesuffix("\n").removesuffix("\n...") or str(key.default)
    if isinstance(key.default, tuple):
        default = str(list(key.default))
    return f"| `{key.path}` | `{default}` | {key.expected} | {key.meaning} |"


@pytest.mark.parametrize("task", ["vqa", "classify"])
def test_every_key_is_documented_with_its_default_and_meaning(task):
    lines = set(DOCUMENT.read_text(encoding="utf-8").splitlines())
    missing = [row for row in map(table_row, keys_of(SETTINGS_OF_TASK[task])) if row not in lines]
    assert not missing, "\n".join(missing)


def test_no_key_is_documented_that_does_not_exist():
    known = {key.path for settings in SETTINGS_OF_TASK.values() for key in keys_of(settings)}
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    documented = {match[1] for line in lines if (match := re.match(r"\| `([a-z0-9_.]+)` \| `", line))}
    assert documented == known


def test_default_files_say_the_defaults():
    assert load_settings(ROOT / "configs/default_config.yaml", "vqa") == VQASettings()
    assert load_settings(ROOT / "configs/default_classifier.yaml", "classify") == ClassifySettings()


def test_default_file_names_every_key():
    content = yaml.safe_load((ROOT / "configs/default_config.yaml").read_text(encoding="utf-8"))
    named = {f"{section}.{key}" for section, part in content.items() if section != "task" for key in part}
    assert named | {"task"} == {key.path for key in keys_of(VQASettings)}


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_file_loads_as_the_task_it_names(path):
    assert load_settings(path).task == yaml.safe_load(path.read_text(encoding="utf-8"))["task"]


def test_small_files_need_no_download():
    vqa, classifier = (
        load_settings(ROOT / "configs/small_vqa.yaml"),
        load_settings(ROOT / "configs/small_classifier.yaml"),
    )
    assert not vqa.model.pretrained
    assert vqa.model.text_encoder.startswith("scratch:")
    assert not classifier.model.pretrained
