"""The order of ablations: what fails is named, what is finished stays, what asks to stop stops all."""

import json
from types import SimpleNamespace

import pytest

from cxrkit.cli import ablations as running
from cxrkit.cli.ablation_settings import read_ablations
from cxrkit.cli.ablations import AGAIN, evaluate_all, require_protocols, train_all
from cxrkit.errors import ArtifactError, ProcessLostError, SettingsError, TrainingStopped
from cxrkit.evaluation.predictions import PREDICTIONS_FILE
from cxrkit.evaluation.report import REPORT_FILE
from cxrkit.training.resume import describe_run

SPLIT = "test"
INDEX = SimpleNamespace(fingerprint="f")


class Said(list):
    """A terminal that keeps what it is told."""

    say = list.append


@pytest.fixture
def three(tmp_path, monkeypatch):
    monkeypatch.setattr("cxrkit.cli.workspace.as_prepared", lambda settings, index: settings)
    paths = [tmp_path / f"{name}.yaml" for name in ("one", "full", "two")]
    for path in paths:
        path.write_text("{}\n")
    return read_ablations(paths, tmp_path / "out", {})


def finish(ablation, **changed):
    """Leaves the folder of a finished run, and what `changed` says of it."""
    (ablation.run_dir / "best_model").mkdir(parents=True)
    content = {"finished": True, "run": describe_run(ablation.settings, INDEX.fingerprint) | changed}
    (ablation.run_dir / "run.json").write_text(json.dumps(content))


def test_the_file_named_full_comes_first_and_each_goes_into_its_own_folder(three, tmp_path):
    assert [ablation.name for ablation in three] == ["full", "one", "two"]
    assert [ablation.run_dir for ablation in three] == [
        tmp_path / "out" / name for name in ("full", "one", "two")
    ]
    assert {ablation.settings.training.resume_from_checkpoint for ablation in three} == {"auto"}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ArtifactError("no weights"), "no weights"),
        (RuntimeError("CUDA out of memory"), "RuntimeError: CUDA out of memory"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (KeyError("a defect"), "KeyError: 'a defect'"),
    ],
)
def test_whatever_breaks_one_ablation_leaves_the_others(three, monkeypatch, error, told):
    trained = []

    def train(ablation, _index, _terminal):
        if ablation.name == "one":
            raise error
        trained.append(ablation.name)

    monkeypatch.setattr(running, "_train", train)
    said = Said()
    done = train_all(three, INDEX, said)
    assert trained == [ablation.name for ablation in done.whole] == ["full", "two"]
    assert [(entry.name, entry.stage, entry.error) for entry in done.failed] == [("one", "training", told)]
    assert said == ["full (1 of 3): training", "one (2 of 3): training", "two (3 of 3): training"]


@pytest.mark.parametrize(
    "error", [TrainingStopped("asked to"), ProcessLostError("died"), KeyboardInterrupt()]
)
def test_what_asks_to_stop_stops_all(three, monkeypatch, error):
    def train(_ablation, _index, _terminal):
        raise error

    monkeypatch.setattr(running, "_train", train)
    said = Said()
    with pytest.raises(type(error)) as caught:
        train_all(three, INDEX, said)
    assert said == ["full (1 of 3): training"]
    # `ablate` has no option of going on: it always does.
    assert getattr(caught.value, "next_step", AGAIN) == AGAIN


def test_a_defect_of_one_of_several_processes_leaves_none_of_them_waiting(three, monkeypatch):
    def train(_ablation, _index, _terminal):
        raise KeyError("a defect")

    monkeypatch.setattr(running, "_train", train)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(KeyError):
        train_all(three, INDEX, Said())


@pytest.mark.parametrize(
    ("changed", "is_kept"),
    [
        ({}, True),
        # The same films per update, divided otherwise: another machine.
        ({"processes": 4, "batch_size": 1}, True),
        ({"index_fingerprint": "another"}, False),
        ({"settings": {"training.seed": 9}}, False),
    ],
)
def test_a_finished_run_of_these_settings_and_data_is_kept(three, monkeypatch, changed, is_kept):
    finish(three[0], **changed)
    trained = []
    monkeypatch.setattr(running, "_train", lambda ablation, *_: trained.append(ablation.name))
    said = Said()
    assert train_all(three, INDEX, said).whole == three
    assert ("full" not in trained) == is_kept
    assert ("full (1 of 3): trained already" in said) == is_kept


@pytest.mark.parametrize(
    ("asked", "changed", "is_kept"),
    [
        (["blank_image", "predicted"], {}, True),
        (["blank_image", "question_only"], {}, False),
        (["blank_image"], {"split": "validate"}, False),
        (["blank_image"], {"index_fingerprint": "another"}, False),
        (["blank_image"], {"manifest": {"checkpoint_sha256": "another"}}, False),
    ],
)
def test_results_of_this_model_split_data_and_controls_are_kept(three, monkeypatch, asked, changed, is_kept):
    results = three[0].results
    results.mkdir(parents=True)
    report = {
        "task": "vqa", "split": SPLIT, "index_fingerprint": INDEX.fingerprint,
        "manifest": {"checkpoint_sha256": None}, "conditions": ["model", "blank_image", "majority"],
    }  # fmt: skip
    (results / REPORT_FILE).write_text(json.dumps(report | changed))
    (results / PREDICTIONS_FILE).touch()
    evaluated = []
    monkeypatch.setattr(running, "_evaluate", lambda ablation, *_: evaluated.append(ablation.name))
    evaluate_all(three, INDEX, SPLIT, asked, Said())
    assert evaluated == (["one", "two"] if is_kept else ["full", "one", "two"])


def test_an_unknown_protocol_is_told_with_those_that_are_known():
    require_protocols(["blank_image", "majority"])
    with pytest.raises(SettingsError, match=r"'blank' is unknown; known: .*blank_image"):
        require_protocols(["blank", "majority"])
