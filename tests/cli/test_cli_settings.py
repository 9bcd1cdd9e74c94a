"""What the options of the verbs become: settings, and mistakes told in one message."""

import pytest
import yaml

from cxrkit.cli import main, train_verbs
from cxrkit.cli.options import collect_overrides, read_flag_values
from cxrkit.errors import SettingsError


def run(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_config_show_prints_settings_that_load_again(tmp_path, capsys):
    assert run(["config", "show", "--set", "training.seed=7", "--set", "wandb.enabled=False"]) == 0
    shown = capsys.readouterr().out
    content = yaml.safe_load(shown)
    assert (content["training"]["seed"], content["wandb"]["enabled"]) == (7, False)
    path = tmp_path / "shown.yaml"
    path.write_text(shown, encoding="utf-8")
    assert run(["config", "show", "--config", str(path)]) == 0
    assert capsys.readouterr().out == shown


def test_config_show_of_the_classifier(capsys):
    assert run(["config", "show", "--task", "classify"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["task"] == "classify"


def test_mistakes_of_file_and_options_come_in_one_message(tmp_path, capsys):
    path = tmp_path / "bad.yaml"
    path.write_text("training:\n  learnin_rate: 1\n", encoding="utf-8")
    code = run(["train", "vqa", "--config", str(path), "--batch_size", "0", "--set", "data.quality_grade=E"])
    err = capsys.readouterr().err
    assert code == 2
    assert err.startswith("error: 3 mistakes in the settings")
    for told in (
        "training.learning_rate",
        "training.batch_size_per_gpu: found 0",
        "data.quality_grade: found 'E'",
    ):
        assert told in err
    assert "Traceback" not in err


def test_placeholders_are_told_with_option_and_key(capsys):
    assert run(["train", "vqa"]) == 2
    err = capsys.readouterr().err
    assert "--mimic_cxr_path" in err
    assert "data.mimic_ext_cxr_qba_path" in err


@pytest.mark.parametrize("task", ["vqa", "classify"])
def test_historical_options_reach_their_keys(task, monkeypatch, tmp_path):
    seen = []
    (tmp_path / "ds.json").write_text("{}")
    monkeypatch.setattr(train_verbs, "_train", lambda *arguments: seen.append(arguments))
    command = (
        f"train {task} --mimic_cxr_path films --mimic_qa_path questions --output_dir out "
        "--batch_size 4 --epochs 2 --learning_rate 5e-5 --max_samples 100 --wandb_project p "
        "--disable_wandb --hub_model_id me/x --skip_data_check --workspace w --set training.seed=3 "
        f"--deepspeed {tmp_path / 'ds.json'} --local_rank=1"
    )
    if task == "classify":
        command += " --label_policies zeros,ignore"
    run(command.split())
    ((seen_task, config, overrides, skip, *policies),) = seen
    assert (seen_task, config, skip) == (task, None, True)
    assert policies == ([["zeros", "ignore"]] if task == "classify" else [])
    assert {key: str(value) for key, value in overrides.items()} == {
        "data.mimic_cxr_jpg_path": "films",
        "data.mimic_ext_cxr_qba_path": "questions",
        "data.workspace": "w",
        "data.max_samples": "100",
        "training.output_dir": "out",
        "training.batch_size_per_gpu": "4",
        "training.num_epochs": "2",
        "training.learning_rate": "5e-05",
        "training.hub_model_id": "me/x",
        "training.seed": "3",
        "deepspeed.config_path": str(tmp_path / "ds.json"),
        "wandb.project": "p",
        "wandb.enabled": "False",
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--disable_wandb"], ["--disable_wandb"]),
        (["--disable_wandb", "False", "--epochs", "2"], ["--epochs", "2"]),
        (["--disable_wandb=false"], []),
        (["--disable_wandb", "True"], ["--disable_wandb"]),
        (["--disable_wandb=maybe"], ["--disable_wandb=maybe"]),
        (["--skip_data_check", "--epochs", "1"], ["--skip_data_check", "--epochs", "1"]),
        (["--epochs", "0"], ["--epochs", "0"]),
    ],
)
def test_a_flag_with_a_value_means_the_value(words, expected):
    assert read_flag_values(words) == expected


def test_one_key_with_two_values_is_refused():
    with pytest.raises(SettingsError) as caught:
        collect_overrides({"training.seed": 3}, ["training.seed=4", "nonsense", "=5"])
    assert len(caught.value.mistakes) == 3
    assert collect_overrides({"training.seed": 3}, ["training.seed=3"]) == {"training.seed": 3}


def test_prepare_with_the_questions_alone_reports_them(tmp_path, capsys):
    folder = tmp_path / "qba/qa/p10/p10000001"
    folder.mkdir(parents=True)
    (folder / "s50000001.qa.json").write_text("{}", encoding="utf-8")
    assert run(["prepare", "--extract_all", "--mimic_qa_path", str(tmp_path / "qba")]) == 0
    captured = capsys.readouterr()
    assert "nothing needs extracting" in captured.err
    assert "questions" in captured.out
    assert "--mimic_cxr_path" in captured.out


def test_prepare_with_questions_that_are_not_there(tmp_path, capsys):
    assert run(["prepare", "--mimic_qa_path", str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_evaluation_takes_no_setting_that_the_model_itself_holds(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cxrkit.cli.evaluate_verb._settings", lambda *_: None)
    command = ["evaluate", "--model_path", str(tmp_path), "--set", "data.image_size=64"]
    assert run([*command, "--set", "model.label_policy=ones"]) == 2
    err = capsys.readouterr().err
    assert "data.image_size: decided when the model was trained" in err
    assert "model.label_policy: decided" in err


def test_each_label_policy_has_a_folder_and_a_repository_of_its_own():
    from cxrkit.cli.label_policies import settings_of_policies

    overrides = {"training.output_dir": "runs", "training.hub_model_id": "me/x"}
    found = settings_of_policies(["zeros", "blank_ignore"], None, overrides)
    assert {
        policy: (str(settings.training.output_dir), settings.training.hub_model_id)
        for policy, settings in found.items()
    } == {
        "zeros": ("runs/zeros", "me/x-zeros"),
        "blank_ignore": ("runs/blank_ignore", "me/x-blank_ignore"),
    }
    (alone,) = settings_of_policies(["zeros"], None, {}).values()
    assert alone.training.hub_model_id is None
