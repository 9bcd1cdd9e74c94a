"""Settings files that extend others: what wins, and how mistakes name their file."""

import pytest

from cxrkit.config import load_settings
from cxrkit.errors import SettingsError


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_own_keys_go_over_those_of_the_base_section_by_section(write):
    write("base.yaml", "training: {num_epochs: 3, learning_rate: 1.0e-4}\ndata: {quality_grade: B}\n")
    write("middle.yaml", "extends: base.yaml\ntraining: {num_epochs: 5}\n")
    path = write("sub/own.yaml", "extends: ../middle.yaml\nmodel: {sim_layers: 0}\n")
    settings = load_settings(path, "vqa", {"training.learning_rate": 0.5})
    assert settings.training.num_epochs == 5
    assert settings.training.learning_rate == 0.5
    assert settings.data.quality_grade == "B"
    assert settings.model.sim_layers == 0


def test_a_lists_value_is_replaced_not_joined(write):
    write("base.yaml", "data: {question_types: [D02_has_finding, B03_is_abnormal]}\n")
    path = write("own.yaml", "extends: base.yaml\ndata: {question_types: [D02_has_finding]}\n")
    assert load_settings(path, "vqa").data.question_types == ("D02_has_finding",)


def test_mistakes_name_the_file_they_are_in(write):
    write("base.yaml", "training:\n  num_epochs: many\n")
    path = write("own.yaml", "extends: base.yaml\nmodel:\n  sim_layers: -1\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, "vqa")
    assert "training.num_epochs: found 'many' (base.yaml line 2)" in str(caught.value)
    assert "model.sim_layers: found -1 (line 3)" in str(caught.value)


def test_the_task_of_the_base_counts(write):
    write("base.yaml", "task: classify\n")
    path = write("own.yaml", "extends: base.yaml\n")
    assert load_settings(path).task == "classify"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("extends: missing.yaml\n", "extends: missing.yaml (line 1), beside own.yaml"),
        ("extends: [a, b]\n", "expected the path of a settings file"),
        ("model: {sim_layers: 1}\nextends: own.yaml\n", "own.yaml (line 2) extends this file: a circle"),
        ("extends: round.yaml\n", "a circle"),
    ],
)
def test_a_base_that_cannot_be_is_refused(write, text, expected):
    write("round.yaml", "extends: own.yaml\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(write("own.yaml", text), "vqa")
    assert expected in str(caught.value)


def test_a_graph_predicted_from_the_film_needs_the_film(write):
    path = write("own.yaml", "model: {reads_film: false}\n")
    with pytest.raises(SettingsError, match="predicts the graph from the film"):
        load_settings(path, "vqa")


def test_a_name_that_is_none_and_a_long_row_of_files_are_mistakes(write):
    with pytest.raises(SettingsError, match="extends"):
        load_settings(write("own.yaml", 'extends: "b\\0c.yaml"\n'), "vqa")
    for number in range(40):
        write(f"f{number}.yaml", f"extends: f{number + 1}.yaml\n")
    with pytest.raises(SettingsError, match="files in a row"):
        load_settings(write("own.yaml", "extends: f0.yaml\n"), "vqa")
