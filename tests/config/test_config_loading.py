"""Settings: YAML and overrides in, every mistake at once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrkit.config import ClassifySettings, VQASettings, dump_settings, load_settings, minimum_rating
from cxrkit.errors import CxrkitError, SettingsError


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "settings.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def mistakes_of(path, task="vqa", overrides=None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, task, overrides)
    return caught.value.mistakes


def test_defaults_are_those_of_the_guide():
    settings = load_settings(None, "vqa")
    assert settings == VQASettings()
    assert settings.training.learning_rate == 5e-5
    assert settings.model.scene_graph_dim == 134
    assert settings.data.quality_grade == "A"


def test_all_mistakes_are_told_at_once(write):
    path = write(
        "model:\n  hidden_size: 100\n  num_attention_heads: 12\n  scene_graph_dim: 135\n"
        "  num_region_classes: 29\n  hidden_dropout_prob: 1.5\n  text_encodr: x\n"
        "data:\n  quality_grade: A+++\n  normalize_mean: [0.4, 0.4]\n  image_size: 224\n  image_size: 448\n"
        "training:\n  learning_rate: -5e-5\n  num_epochs: 2.5\n  fp16: maybe\n"
        "wandb: true\ntrainig: {}\n"
    )
    mistakes = mistakes_of(path, overrides={"training.num_epochz": "3", "training.max_steps": "0"})
    expected = [
        "'image_size' is given twice",
        "model.scene_graph_dim: found 135 (line 4), expected 134",
        "model.num_attention_heads: found 12 (line 3), expected a divisor of hidden_size (100)",
        "model.num_region_classes: found 29 (line 5), expected 26",
        "model.hidden_dropout_prob: found 1.5 (line 6), expected a probability",
        "model.text_encodr: found 'x' (line 7), but there is no such key; the closest is model.text_encoder",
        "data.quality_grade: found 'A+++' (line 9), expected one of A++, A+, A, B, C, D, all",
        "data.normalize_mean: found [0.4, 0.4] (line 10), expected a list of 3 numbers",
        "data.image_store_size: found 320 (the default), expected at least image_size (448)",
        "training.learning_rate: found -5e-05 (line 14), expected a number above 0",
        "training.num_epochs: found 2.5 (line 15), expected a whole number, 1 or more",
        "training.fp16: found 'maybe' (line 16), expected true or false",
        "wandb: found true (line 17), expected a section",
        "trainig: found {} (line 18), but there is no such key; the closest is training",
        "training.num_epochz: (command line) there is no such key; the closest is training.num_epochs",
        "training.max_steps: found 0 (command line), expected -1 (no limit)",
    ]
    for text in expected:
        assert any(text in line for line in mistakes), text
    assert len(mistakes) == len(expected)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("training.learning_rate", 0),
        ("training.learning_rate", float("nan")),
        ("training.learning_rate", float("inf")),
        ("training.learning_rate", True),
        ("training.learning_rate", '"5e-5"'),
        ("training.seed", -1),
        ("training.seed", 2**32),
        ("training.seed", "042"),
        ("training.num_epochs", True),
        ("training.warmup_ratio", 1.1),
        ("training.max_steps", -2),
        ("training.output_dir", "''"),
        ("model.attention_probs_dropout_prob", 1.0),
        ("model.num_binary_classes", 3),
        ("model.num_category_classes", 13),
        ("model.num_severity_classes", 5),
        ("model.pretrained", 3),
        ("model.visual_backbone", "' '"),
        ("model.roi_source", "rois"),
        ("data.normalize_std", "[1, 1, 0]"),
        ("data.question_types", "[]"),
        ("data.question_types", "[D02_has_finding, has_finding]"),
        ("data.question_types", "[describe_device]"),
        ("data.image_size", 16),
        ("data.max_samples", 0),
        ("deepspeed.stage", 4),
    ],
)
def test_a_wrong_value_is_one_mistake_that_names_its_key(write, key, value):
    section, name = key.split(".")
    text = {True: "true"}.get(value, value) if isinstance(value, bool) else value
    text = {"nan": ".nan", "inf": ".inf"}.get(str(text), text)
    (mistake,) = mistakes_of(write(f"{section}:\n  {name}: {text}\n"))
    assert mistake.startswith(f"{key}: found ")
    assert "(line 2)" in mistake


def test_scientific_notation_without_a_dot_is_a_number(write):
    assert load_settings(write("training: {learning_rate: 5e-5}"), "vqa").training.learning_rate == 5e-5
    assert load_settings(None, "vqa", {"training.learning_rate": "1E-3"}).training.learning_rate == 1e-3


@pytest.mark.parametrize(
    ("text", "expected"), [("False", False), ("no", False), ("TRUE", True), ("on", True)]
)
def test_switches_mean_what_they_say(text, expected):
    assert load_settings(None, "vqa", {"training.fp16": text}).training.fp16 is expected


def test_texts_and_paths_of_the_command_line_are_taken_as_they_stand():
    settings = load_settings(
        None, "vqa", {"training.hub_model_id": "123", "data.workspace": "a: b", "wandb.project": "no"}
    )
    assert settings.training.hub_model_id == "123"
    assert str(settings.data.workspace) == "a: b"
    assert settings.wandb.project == "no"
    assert load_settings(None, "vqa", {"training.hub_model_id": "null"}).training.hub_model_id is None


def test_question_types_become_their_prefixed_names():
    overrides = {"data.question_types": "[has_finding, D03_where_is_finding]"}
    assert load_settings(None, "vqa", overrides).data.question_types == (
        "D02_has_finding",
        "D03_where_is_finding",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model: [1\n", "line 2"),
        ("model: &a {hidden_size: 8}\ndata: *a\n", "aliases"),
        ("? [a, b]\n: 1\n", "a key must be a word"),
        ("- 1\n- 2\n", "holds none"),
        ("", "holds none"),
        ("a: 1\n---\nb: 2\n", "line 2"),
        ("a: \x07\n", "not allowed"),
        ("model:\n\thidden_size: 8\n", "line 2"),
        ("training: {num_epochs: !!python/name:os.system x}\n", "line 1"),
    ],
)
def test_a_file_that_is_no_settings_is_told_with_its_place(write, text, told):
    (mistake,) = mistakes_of(write(text))
    assert told in mistake


def test_a_key_that_is_a_number_is_told(write):
    assert "no such key" in mistakes_of(write("training:\n  1: 2\n"))[0]


def test_duplicate_sections_are_told_with_both_lines(write):
    (mistake,) = mistakes_of(write("training: {seed: 1}\nwandb: {enabled: no}\ntraining: {seed: 2}\n"))
    assert mistake == "line 3: the key 'training' is given twice (first on line 1)"


def test_a_missing_or_unreadable_file_is_told(tmp_path, write):
    with pytest.raises(CxrkitError, match="cannot be read"):
        load_settings(tmp_path / "absent.yaml", "vqa")
    with pytest.raises(CxrkitError, match="cannot be read"):
        load_settings(tmp_path, "vqa")
    path = write("")
    path.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in mistakes_of(path)[0]


def test_a_file_of_the_other_task_is_told_by_its_task(write):
    path = write("task: classify\nmodel: {drop_rate: 0.1}\n")
    assert mistakes_of(path) == ("task: found 'classify' (line 1), expected vqa",)


def test_without_a_task_the_file_decides(write):
    assert isinstance(load_settings(write("task: classify\n")), ClassifySettings)
    assert isinstance(load_settings(write("training: {seed: 1}\n")), VQASettings)


LINE_CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cn", "Cs", "Zl", "Zp"))


@pytest.mark.parametrize("suffix", ["yaml", "json"])
@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    rate=st.floats(1e-12, 10),
    # These two are how a command line says that there is no value.
    name=st.text(LINE_CHARACTERS, min_size=1).filter(lambda text: text.strip() not in ("", "~", "null")),
    grade=st.sampled_from(["A++", "A", "all"]),
)
def test_what_is_dumped_loads_to_an_equal_object(tmp_path_factory, suffix, seed, rate, name, grade):
    overrides = {
        "training.seed": seed,
        "training.learning_rate": rate,
        "wandb.project": name,
        "data.quality_grade": grade,
        "data.question_types": "[D02_has_finding]",
    }
    resolved = load_settings(None, "vqa", overrides)
    path = tmp_path_factory.mktemp("dump") / f"config.{suffix}"
    dump_settings(resolved, path)
    assert load_settings(path, "vqa") == resolved


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        VQASettings().training.seed = 1


def test_ratings_of_grades():
    grades = ("A++", "A+", "A", "B", "C", "D", "all")
    assert [minimum_rating(grade) for grade in grades] == [6, 5, 4, 3, 2, 1, 0]
