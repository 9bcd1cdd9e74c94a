"""What `cxrkit doctor` finds in the folder of a run, whole or damaged in each way."""

import json
import shutil

import pytest

from cxrkit.cli import main
from cxrkit.config import load_settings
from cxrkit.errors import TrainingStopped
from cxrkit.training.classify import train_classifier
from cxrkit.training.versions import installed_versions

TINY = {
    "data.image_size": 32, "data.image_store_size": 96, "data.max_samples": 16,
    "model.visual_backbone": "resnet10t", "model.pretrained": False, "training.max_steps": 6,
    "training.batch_size_per_gpu": 4, "training.gradient_accumulation_steps": 1,
    "training.dataloader_num_workers": 0, "training.gradient_checkpointing": False, "wandb.enabled": False,
    "training.eval_steps": 2, "training.save_steps": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def stopped_run(workspace, tmp_path_factory):
    """A run that was stopped after 5 of 6 updates; never change it."""
    import os
    import signal

    folder = tmp_path_factory.mktemp("doctor") / "run"
    chosen = TINY | {"data.workspace": workspace, "training.output_dir": folder}

    def stop(_stage, done, _total):
        if done == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingStopped):
        train_classifier(load_settings(None, "classify", chosen), progress=stop)
    return folder


@pytest.fixture
def run(stopped_run, tmp_path):
    shutil.copytree(stopped_run, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def doctor(monkeypatch, capsys):
    """Calls the verb; gives exit code, the JSON object, and what was said of a refusal."""
    monkeypatch.setenv("WORLD_SIZE", "1")

    def call(run, *words):
        with pytest.raises(SystemExit) as ended:
            main(["doctor", str(run), "--json", *words])
        out, err = capsys.readouterr()
        return ended.value.code, json.loads(out) if out else None, err

    return call


def test_a_stopped_run_can_go_on(run, doctor):
    code, found, _ = doctor(run)
    assert code == 0
    assert found["can_go_on"]
    assert found["verdict"] == "going on begins after update 5 of 6, from checkpoint-5"
    assert [(each["name"], each["problem"]) for each in found["checkpoints"]] == [
        ("checkpoint-5", None), ("checkpoint-4", None), ("checkpoint-2", None),
    ]  # fmt: skip
    assert found["notes"] == []
    assert found["models"][0]["problem"] is None


def test_nothing_is_changed(run, doctor):
    def content():
        return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}

    before = content()
    (run / ".checkpoint-6.part").mkdir()
    assert doctor(run)[1]["leftovers"] == [".checkpoint-6.part"]
    assert content() == before


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda folder: flip(folder / "model.safetensors"), "model.safetensors is not as it was written"),
        (lambda folder: (folder / "optimizer.pt").unlink(), "optimizer.pt is missing"),
        (lambda folder: (folder / "manifest.json").unlink(), "no manifest.json"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_passed_over(damage, problem, run, doctor):
    damage(run / "checkpoint-5")
    code, found, _ = doctor(run)
    assert code == 0
    assert problem in found["checkpoints"][0]["problem"]
    assert found["verdict"] == "going on begins after update 4 of 6, from checkpoint-4"


def test_without_a_whole_one_going_on_is_refused(run, doctor):
    for folder in run.glob("checkpoint-*"):
        flip(folder / "model.safetensors")
    code, found, told = doctor(run)
    assert (code, found["can_go_on"], found["verdict"]) == (2, False, "going on is refused")
    assert "can be used" in told


def test_before_the_first_checkpoint_it_begins_anew(run, doctor):
    for folder in [*run.glob("checkpoint-*"), *run.glob("best_model*")]:
        shutil.rmtree(folder)
    code, found, _ = doctor(run)
    assert (code, found["verdict"]) == (0, "going on begins anew: there is no checkpoint yet")


def test_a_damaged_best_model_is_named(run, doctor):
    flip(run / "best_model/model.safetensors")
    code, found, told = doctor(run)
    assert code == 2
    assert "model.safetensors is not as it was written" in found["models"][0]["problem"]
    assert "best_model is not whole" in told


def test_a_renamed_checkpoint_is_not_taken_for_a_later_one(run, doctor):
    (run / "checkpoint-5").rename(run / "checkpoint-50")
    _, found, _ = doctor(run)
    assert found["checkpoints"][0]["problem"] == "it was written after update 5, and renamed"
    assert found["verdict"].endswith("from checkpoint-4")


def test_a_checkpoint_of_another_run_is_named_and_passed_over(run, doctor, tmp_path, caplog):
    manifest = run / "checkpoint-5/manifest.json"
    content = json.loads(manifest.read_text())
    content["run"]["settings"]["training.learning_rate"] = 0.5
    manifest.write_text(json.dumps(content))
    _, found, _ = doctor(run)
    assert found["checkpoints"][0]["problem"] == "it is of another run (settings)"
    assert found["verdict"].endswith("from checkpoint-4")
    own = {"training.output_dir": run, "training.resume_from_checkpoint": "auto"}
    train_classifier(load_settings(run / "config.json", "classify", own))
    assert "checkpoint-5 is not used: it is of another run (settings)" in caplog.text


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"finished": true, "run": {}}', '{"finished": true, "run": []}', "{", "3"]
)
def test_a_record_that_says_nothing_is_told(text, run, doctor):
    (run / "run.json").write_text(text)
    code, _, told = doctor(run)
    assert code == 2
    assert "is no folder of a run" in told


@pytest.mark.parametrize("text", ["[]", '{"schema_version": 1, "files": [], "run": 3, "step": 5}', "{"])
def test_a_manifest_that_says_nothing_is_told(text, run, doctor):
    (run / "checkpoint-5/manifest.json").write_text(text)
    _, found, _ = doctor(run)
    assert "manifest.json" in found["checkpoints"][0]["problem"]
    assert found["verdict"].endswith("from checkpoint-4")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--set", "training.learning_rate=0.5"], "training.learning_rate"),
        (["--processes", "2"], "films_per_update: 4 in the checkpoint, 8 now"),
    ],
)
def test_another_training_is_refused_by_name(words, told, run, doctor):
    code, found, error = doctor(run, *words)
    assert (code, found["can_go_on"]) == (2, False)
    assert told in error


def test_another_division_of_the_same_films_is_told(run, doctor):
    # Where DeepSpeed is installed, several processes would divide the optimizer.
    words = ["--set", "training.batch_size_per_gpu=2", "--set", "deepspeed.enabled=false"]
    code, found, _ = doctor(run, "--processes", "2", *words)
    assert (code, found["can_go_on"]) == (0, True)
    assert "batches of 4 films in 1 process(es) until here, of 2 in 2 from now on" in found["notes"][0]


def test_other_versions_are_named(run, doctor):
    content = json.loads((run / "run.json").read_text())
    assert content["versions"] == installed_versions()
    content["versions"]["torch"] = "1.0"
    (run / "run.json").write_text(json.dumps(content))
    _, found, _ = doctor(run)
    assert found["notes"] == [f"torch 1.0 before, {installed_versions()['torch']} now"]


def test_going_on_with_other_versions_is_told(run, monkeypatch, caplog):
    from cxrkit.training import resume

    monkeypatch.setattr(resume, "installed_versions", lambda: installed_versions() | {"torch": "99"})
    chosen = load_settings(run / "config.json", "classify", {
        "training.output_dir": run, "training.resume_from_checkpoint": "auto",
    })  # fmt: skip
    train_classifier(chosen)
    assert f"torch {installed_versions()['torch']} before, 99 now" in caplog.text


def test_versions_that_nobody_recorded_are_no_difference(run, doctor):
    content = json.loads((run / "run.json").read_text())
    del content["versions"]
    (run / "run.json").write_text(json.dumps(content))
    assert "are not recorded" in doctor(run)[1]["notes"][0]


def test_the_settings_of_a_file_are_taken_as_a_training_takes_them(stopped_run, run, doctor, tmp_path):
    chosen = {key: value for key, value in TINY.items() if key != "data.image_store_size"}
    sections: dict = {}
    for key, value in chosen.items():
        section, name = key.split(".")
        sections.setdefault(section, {})[name] = value
    own = json.loads((stopped_run / "config.json").read_text())["data"]
    sections["data"]["workspace"] = own["workspace"]
    (tmp_path / "mine.yaml").write_text(json.dumps(sections))
    code, found, told = doctor(run, "--config", str(tmp_path / "mine.yaml"))
    assert (code, told) == (0, "")
    assert found["can_go_on"]


def test_data_that_is_gone_is_told(run, doctor, tmp_path):
    code, found, _ = doctor(run, "--workspace", str(tmp_path / "nowhere"))
    assert code == 0
    assert "the prepared data cannot be compared" in found["notes"][0]


def test_a_finished_run_is_told(run, doctor):
    chosen = json.loads((run / "config.json").read_text())
    own = {"output_dir": str(run), "resume_from_checkpoint": "auto"}
    chosen["training"] |= own
    path = run.parent / "config.json"
    path.write_text(json.dumps(chosen))
    train_classifier(load_settings(path))
    assert doctor(run)[1]["verdict"].startswith("the run is finished, after 6 updates")
    flip(run / "checkpoint-6/model.safetensors")
    assert doctor(run)[1]["verdict"].startswith("going on begins after update 5")
    for folder in run.glob("checkpoint-*"):
        shutil.rmtree(folder)
    code, found, _ = doctor(run)
    assert (code, found["verdict"][:23]) == (0, "the run is finished; it")


def test_a_finished_run_whose_end_is_gone_goes_on_from_before_it(run, doctor):
    content = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(content | {"finished": True}))
    code, found, _ = doctor(run)
    assert code == 0
    assert "going on begins after update 5 of 6" in found["verdict"]


def test_a_best_model_that_is_lost_is_told(run, doctor):
    shutil.rmtree(run / "best_model")
    _, found, _ = doctor(run)
    assert any("is missing or damaged: the next validated one" in note for note in found["notes"])


@pytest.mark.parametrize("name", ["run/best_model", "nowhere"])
def test_what_is_no_run_is_told(name, run, doctor):
    code, found, told = doctor(run.parent / name)
    assert (code, found) == (2, None)
    assert "is no folder of a run" in told


def test_the_table_fits_a_terminal(run, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("WORLD_SIZE", "1")
    flip(run / "checkpoint-5/model.safetensors")
    with pytest.raises(SystemExit):
        main(["doctor", str(run)])
    shown = capsys.readouterr().out
    assert "checkpoint-4" in shown
    assert "going on begins after update 4 of 6" in shown
