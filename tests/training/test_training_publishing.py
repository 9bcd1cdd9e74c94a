"""What is published of a run, where it arrives, and that a hub out of reach never undoes a training."""

import hashlib
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
import yaml
from hub_server import serve
from test_training_runs import classify_settings, vqa_settings

from cxrkit.cli import main
from cxrkit.config import load_settings
from cxrkit.errors import ArtifactError, PublishingError, SettingsError
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.vqa import SSGVQAModel
from cxrkit.training.best_models import OVERALL, RAW, Kept
from cxrkit.training.classify import train_classifier
from cxrkit.training.publishing import hub as hub_room
from cxrkit.training.publishing.facts import record_facts
from cxrkit.training.publishing.hub import Repository, require_hub_name, upload
from cxrkit.training.publishing.moments import Publisher
from cxrkit.training.publishing.places import command_without_places
from cxrkit.training.publishing.upload_folder import write_upload_folder
from cxrkit.training.vqa import train_vqa

NAME = "me/model"
SHORT = {"training.max_steps": 2, "data.max_samples": 8}


@pytest.fixture(scope="module")
def vqa_run(workspace, tmp_path_factory):
    return train_vqa(vqa_settings(workspace, tmp_path_factory.mktemp("vqa") / "run", **SHORT)).run_dir


@pytest.fixture(scope="module")
def classifier_run(workspace, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("classify") / "run"
    return train_classifier(classify_settings(workspace, run_dir, **SHORT)).run_dir


@pytest.fixture
def no_token(monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setattr("huggingface_hub.constants.HF_STORED_TOKENS_PATH", str(tmp_path / "none"))


@pytest.fixture
def hub(monkeypatch):
    """A stand-in that this process and those it starts take for the hub."""
    hub, server = serve()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    # Its storage is the one of git LFS.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for name, value in {
        "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "HF_TOKEN": hub.token,
        "NO_PROXY": "127.0.0.1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield hub
    server.shutdown()


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tries(hub):
    return hub.requests.count(("POST", "/api/repos/create"))


def test_a_training_leaves_only_what_the_list_allows(vqa_run, classifier_run):
    common = {"README.md", "config.json", "model.safetensors", "settings.json", "training_metadata.json"}
    assert set(files_of(classifier_run / "hub_upload")) == common
    tokenizer = {"tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json"}
    assert set(files_of(vqa_run / "hub_upload")) == common | tokenizer
    for run in (vqa_run, classifier_run):
        best, published = files_of(run / "best_model"), files_of(run / "hub_upload")
        assert published["model.safetensors"] == best["model.safetensors"]
        assert not list(run.glob(".hub_push*"))


def test_other_files_in_the_best_model_stay_here(classifier_run, tmp_path):
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", classifier_run, run], check=True)
    for name in ("predictions.parquet", "subjects.csv"):
        (run / "best_model" / name).write_text("subject_id,study_id\n10000032,50414267\n")
    assert set(files_of(write_upload_folder(run, tmp_path / "out"))) == set(
        files_of(classifier_run / "hub_upload")
    )


def test_nothing_of_this_machine_and_no_patient_is_in_it(vqa_run, classifier_run, workspace, synthetic_root):
    from cxrkit.data.index import Index

    studies = Index.open(workspace).studies
    numbers = {
        str(value) for name in ("subject_id", "study_id") for value in studies.column(name).to_pylist()
    }
    places = [
        str(path) for path in (workspace, synthetic_root, vqa_run, classifier_run, Path.cwd(), Path.home())
    ]
    # The other way round: the best model's own settings do name them, so the search can find something.
    assert str(workspace) in (vqa_run / "best_model/settings.json").read_text()
    for run in (vqa_run, classifier_run):
        for name, content in files_of(run / "hub_upload").items():
            if name != "model.safetensors":
                text = content.decode()
                assert not [place for place in places if place in text], name
                assert not numbers & set(re.findall(r"\d{8}", text)), name


def test_the_folder_loads_elsewhere_without_a_network(vqa_run, classifier_run, tmp_path):
    for name, run in (("vqa", vqa_run), ("classify", classifier_run)):
        subprocess.run(["cp", "-r", run / "hub_upload", tmp_path / name], check=True)
    program = """
import torch
from pathlib import Path
from cxrkit.config import load_settings
from cxrkit.inference.predictor import Predictor
from cxrkit.models.classifier import CXRClassifier
predictor = Predictor(Path("vqa"))
features = predictor.features(torch.full((1, 96, 96), 90, dtype=torch.uint8))
questions = predictor.read(["Is there edema?"])
answer = predictor.answer(predictor.encode(features), torch.zeros(1, dtype=torch.long), questions)
film = torch.full((1, 3, 64, 64), 0.5)
logits = CXRClassifier.from_pretrained("classify")(film).detach()
torch.save([torch.tensor(answer.probabilities[0]), logits], "out")
print(load_settings(Path("vqa/settings.json")).model.hidden_size)
"""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "32"
    _, logits = torch.load(tmp_path / "out")
    model = CXRClassifier.from_pretrained(classifier_run / "best_model")
    with torch.no_grad():
        assert torch.allclose(model(torch.full((1, 3, 64, 64), 0.5)), logits, atol=1e-6)
    ours, theirs = (SSGVQAModel.from_pretrained(path) for path in (vqa_run / "best_model", tmp_path / "vqa"))
    assert all(torch.equal(one, theirs.state_dict()[name]) for name, one in ours.state_dict().items())
    assert ours.tokenizer.get_vocab() == theirs.tokenizer.get_vocab()


def test_the_card_says_data_figures_limits_and_versions(vqa_run, workspace):
    from cxrkit.data.index import Index

    text = (vqa_run / "hub_upload/README.md").read_text()
    front, body = text.removeprefix("---\n").split("\n---\n", 1)
    assert yaml.safe_load(front) == {
        "library_name": "cxrkit",
        "pipeline_tag": "visual-question-answering",
        "tags": ["chest-x-ray", "radiology", "medical-imaging", "cxrkit", "synthetic-data"],
        "language": ["en"],
    }
    index = Index.open(workspace)
    assert index.fingerprint in body
    metadata = json.loads((vqa_run / "best_model/training_metadata.json").read_text())
    value = metadata["validation_metrics"]["accuracy"]
    assert f"| `accuracy` | {value:.3f} | no interval: point estimate |" in body
    assert "Synthetic films, drawn by cxrkit in the layout of MIMIC-CXR-JPG and MIMIC-Ext-CXR-QBA." in body
    assert "Training split: 8 films of" in body
    assert '`data.quality_grade: "B"`' in body
    assert "not a medical device" in body
    assert f"torch {torch.__version__.split('+')[0]}," in body
    assert "model.hidden_size: 32" in body
    assert "4 films per update, 1 process(es); raw weights." in body
    assert "output_dir" not in body
    assert "workspace" not in body


def test_questions_of_a_study_with_several_films_count_once(workspace, tmp_path):
    from cxrkit.data.batches.loading import training_films
    from cxrkit.data.films.opener import films_of
    from cxrkit.data.index import Index

    index = Index.open(workspace)
    settings = vqa_settings(workspace, tmp_path / "run", **{"data.view_filter": "all"})
    films = training_films(index, films_of(index), settings.data, 42)
    record_facts(tmp_path, settings, index, films)
    counts = json.loads((tmp_path / "model_card.json").read_text())["data"]["training"]
    questions, studies, patients = set(), set(), set()
    for film, image in enumerate(films.selection.image_rows):
        study = int(index.column("images", "study_row")[image])
        studies.add(study)
        patients.add(int(index.column("studies", "subject_id")[study]))
        questions |= set(films.selection.question_rows(index, np.array([film]))[0].tolist())
    assert counts["films"] == len(films) > counts["studies"]
    assert (counts["questions"], counts["studies"]) == (len(questions), len(studies))
    assert counts["patients"] == len(patients)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            "/opt/bin/cxrkit train vqa --config /home/me/c.yaml --output_dir=runs/a --epochs 2",
            "cxrkit train vqa --config CONFIG.yaml --output_dir=OUTPUT_DIR --epochs 2",
        ),
        (
            "/src/train_mimic_cxr.py --set data.workspace=w --set model.pretrained=/w.pth --epochs 3",
            "python train_mimic_cxr.py --set data.workspace=PATH --set model.pretrained=PATH --epochs 3",
        ),
        ("cxrkit demo --data ../films --hub_model_id a/b", "cxrkit demo --data PATH --hub_model_id a/b"),
        ("/usr/lib/pytest/__main__.py.txt -q", None),
    ],
)
def test_the_command_has_placeholders_for_paths(words, shown):
    assert command_without_places(words.split()) == shown


def test_a_local_text_encoder_is_named_without_its_place(vqa_run, tmp_path):
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", vqa_run, run], check=True)
    config = run / "best_model/config.json"
    content = json.loads(config.read_text())
    config.write_text(
        json.dumps(content | {"text_encoder": "/home/somebody/bert", "_name_or_path": "/srv/x/y"})
    )
    written = json.loads((write_upload_folder(run, tmp_path / "out") / "config.json").read_text())
    assert (written["text_encoder"], written["_name_or_path"]) == ("bert", "y")


def test_every_file_arrives_as_it_is_in_a_private_repository(hub, vqa_run):
    address = upload(vqa_run / "hub_upload", Repository(NAME))
    assert hub.repositories == {NAME: "private"}
    assert hub.commits == [files_of(vqa_run / "hub_upload")]
    assert address.startswith(hub.url)


def test_every_file_arrives_through_the_storage_that_the_hub_prefers(
    hub, classifier_run, tmp_path, monkeypatch
):
    """Through the library's pipeline for Xet, whose client keeps files in a folder when it is told so."""
    hub.storage = str(tmp_path / "storage")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "0")
    folder, weights = classifier_run / "hub_upload", classifier_run / "hub_upload/model.safetensors"
    words = [sys.executable, "-m", "cxrkit", "push", folder, "--hub_model_id", NAME]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not hub.objects
    (commit,) = hub.commits
    expected = files_of(folder)
    assert commit.pop("model.safetensors") == hashlib.sha256(expected.pop("model.safetensors")).hexdigest()
    assert commit == expected
    program = """
import sys, hf_xet
weights, storage, target = sys.argv[1:]
found = hf_xet.hash_files([weights])[0]
wanted = [hf_xet.PyXetDownloadInfo(target, found.hash, found.file_size)]
hf_xet.download_files(wanted, f"local://{storage}", ("x", 2**33), None, None)
"""
    words = [sys.executable, "-c", program, weights, hub.storage, tmp_path / "back"]
    subprocess.run(words, check=True, timeout=120)
    assert (tmp_path / "back").read_bytes() == weights.read_bytes()


def test_a_public_repository_only_when_it_is_wished(hub, classifier_run):
    upload(classifier_run / "hub_upload", Repository(NAME, is_private=False))
    assert hub.repositories == {NAME: "public"}
    with pytest.raises(PublishingError, match="is public"):
        upload(classifier_run / "hub_upload", Repository(NAME))
    assert len(hub.commits) == 1


def test_it_tries_again_when_the_hub_fails(hub, classifier_run):
    hub.failures += [500, 503]
    upload(classifier_run / "hub_upload", Repository(NAME), waits=(0, 0, 0))
    assert tries(hub) == 3
    assert hub.commits == [files_of(classifier_run / "hub_upload")]
    hub.failures += [500, 500, 500]
    with pytest.raises(PublishingError, match="HTTP 500"):
        upload(classifier_run / "hub_upload", Repository(NAME), waits=(0, 0))
    assert len(hub.commits) == 1


def test_the_waits_grow(hub, classifier_run, monkeypatch):
    waited = []
    monkeypatch.setattr(hub_room.time, "sleep", waited.append)
    hub.failures += [500, 500, 500]
    upload(classifier_run / "hub_upload", Repository(NAME), waits=(1, 2, 4))
    assert waited == [1, 2, 4]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_not_asked_again(hub, classifier_run, status):
    hub.failures += [status]
    with pytest.raises(PublishingError) as caught:
        upload(classifier_run / "hub_upload", Repository(NAME), waits=(0, 0, 0))
    assert tries(hub) == 1
    assert caught.value.found.startswith(f"HTTP {status}")
    assert f"cxrkit push {classifier_run / 'hub_upload'} --hub_model_id {NAME}" in str(caught.value)
    assert hub.token not in str(caught.value)


def test_a_wrong_token_and_none_are_refused(hub, classifier_run, no_token, monkeypatch, tmp_path):
    with pytest.raises(PublishingError, match="no HF_TOKEN"):
        upload(classifier_run / "hub_upload", Repository(NAME))
    assert not hub.requests
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(PublishingError, match="HTTP 401"):
        upload(classifier_run / "hub_upload", Repository(NAME))
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / ".env").write_text(f"export HF_TOKEN='{hub.token}'  # of the hub\n")
    upload(classifier_run / "hub_upload", Repository(NAME))
    assert len(hub.commits) == 1


def test_nobody_listens(hub, classifier_run, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    begin = time.monotonic()
    with pytest.raises(PublishingError, match="ConnectError"):
        upload(classifier_run / "hub_upload", Repository(NAME), waits=(0.05, 0.1))
    assert time.monotonic() - begin > 0.15


def test_a_hub_that_takes_the_connection_and_says_nothing(hub, classifier_run, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr(hub_room, "ANSWER_SECONDS", 0.2)
        before = huggingface_hub.get_session().timeout
        with pytest.raises(PublishingError, match="ReadTimeout"):
            upload(classifier_run / "hub_upload", Repository(NAME), waits=(0,))
        assert huggingface_hub.get_session().timeout == before


def test_a_training_goes_on_without_its_hub(hub, workspace, tmp_path, monkeypatch, caplog, no_token):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    settings = classify_settings(workspace, tmp_path / "run", **SHORT, **{"training.hub_model_id": NAME})
    with caplog.at_level(logging.WARNING, logger="cxrkit"):
        run = train_classifier(settings)
    assert json.loads((run.run_dir / "run.json").read_text())["finished"]
    told = [record.message for record in caplog.records if "HF_TOKEN" in record.message]
    assert "training goes on" in told[0]
    assert f"cxrkit push {run.run_dir / 'hub_upload'} --hub_model_id {NAME}" in told[-1]
    assert (run.run_dir / "hub_upload/README.md").is_file()


def test_training_pushes_at_the_end_and_changes_nothing_by_it(hub, workspace, tmp_path, classifier_run):
    more = {"training.hub_model_id": NAME, "training.hub_push": "best", "training.hub_license": "other"}
    run = train_classifier(classify_settings(workspace, tmp_path / "run", **SHORT, **more)).run_dir
    card = (run / "hub_upload/README.md").read_text()
    assert "license: other\n" in card
    assert load_settings(run / "hub_upload/settings.json").training.hub_model_id is None
    assert hub.commits[-1] == files_of(run / "hub_upload")
    assert not list(run.glob(".hub_push*"))
    for name in ("metrics.jsonl", "best_model/model.safetensors", "best_model/training_metadata.json"):
        assert (run / name).read_bytes() == (classifier_run / name).read_bytes()
    for path in classifier_run.glob("checkpoint-*/*.safetensors"):
        assert (run / path.relative_to(classifier_run)).read_bytes() == path.read_bytes()


class _Best:
    def __init__(self):
        self.best = {}


@pytest.fixture
def publisher(hub, classifier_run, tmp_path):
    """Gives a publisher of a copied run, and a way to say that a model became the best."""
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", classifier_run, run], check=True)
    settings = classify_settings(
        "unused", run, **{"training.hub_model_id": NAME, "training.hub_push": "checkpoint"}
    )
    best = _Best()
    publisher = Publisher(run, settings.training, best)
    state = type("State", (), {"is_world_process_zero": True})()

    def checkpoint(step):
        best.best[OVERALL] = Kept(RAW, step, {"mean_auroc": 0.5})
        metadata = run / "best_model/training_metadata.json"
        content = json.loads(metadata.read_text()) | {"step": step}
        metadata.unlink()
        metadata.write_text(json.dumps(content))
        publisher.on_save(None, state, None)

    yield publisher, checkpoint, run
    publisher.close()


def steps(hub):
    return [json.loads(commit["training_metadata.json"])["step"] for commit in hub.commits]


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


def test_pushes_at_checkpoints_never_block_and_the_newest_one_follows(hub, publisher):
    publisher, checkpoint, run = publisher
    hub.delay = threading.Event()
    begin = time.monotonic()
    for step in (1, 2, 3, 3):
        checkpoint(step)
    assert time.monotonic() - begin < 2
    publisher.on_step_end(None, None, None)
    assert not hub.commits
    # The one between was overtaken while it waited.
    assert sorted(path.name for path in run.glob(".hub_push*")) == [".hub_push-1-raw", ".hub_push-3-raw"]
    hub.delay.set()

    def third():
        publisher.on_step_end(None, None, None)
        return steps(hub) == [1, 3]

    wait_for(third)
    publisher.finish()
    assert steps(hub) == [1, 3]
    assert not list(run.glob(".hub_push*"))


def test_a_failing_push_before_the_end_is_told_and_mended_at_the_end(hub, publisher, caplog):
    publisher, checkpoint, run = publisher
    hub.failures += [403]
    with caplog.at_level(logging.WARNING, logger="cxrkit"):
        checkpoint(1)
        wait_for(lambda: publisher.on_step_end(None, None, None) or publisher._running is None)
    assert "hub_push.log" in caplog.text
    assert "HTTP 403" in (run / "hub_push.log").read_text()
    assert hub.token not in (run / "hub_push.log").read_text()
    publisher.finish()
    assert steps(hub) == [1]


def test_a_stopped_training_ends_its_push(hub, publisher):
    publisher, checkpoint, run = publisher
    hub.delay = threading.Event()
    checkpoint(1)
    process = publisher._running.process
    publisher.close()
    assert process.poll() is not None
    assert not list(run.glob(".hub_push*"))


def test_snapshots_of_a_killed_training_are_removed(publisher):
    publisher, _, run = publisher
    for name in (".hub_push-5-raw", ".hub_push-7-averaged.new"):
        (run / name / "tokenizer").mkdir(parents=True)
    publisher.on_train_begin(None, type("State", (), {"is_world_process_zero": True})(), None)
    assert not list(run.glob(".hub_push*"))


def test_other_processes_push_nothing(hub, publisher):
    publisher, _, run = publisher
    publisher.best.best[OVERALL] = Kept(RAW, 1, {})
    publisher.on_save(None, type("State", (), {"is_world_process_zero": False})(), None)
    assert not list(run.glob(".hub_push*"))


def push(*words):
    with pytest.raises(SystemExit) as ended:
        main(["push", *map(str, words)])
    return int(ended.value.code or 0)


def test_the_verb_sends_a_run_or_a_folder_later(hub, classifier_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", classifier_run, run], check=True)
    assert push(run) == 2
    assert "--hub_model_id" in capsys.readouterr().err
    subprocess.run(["rm", "-r", run / "hub_upload"], check=True)
    assert push(run, "--hub_model_id", NAME) == 0
    assert "uploaded" in capsys.readouterr().out
    assert push(run / "best_model", "--hub_model_id", NAME) == 0
    assert push(run / "hub_upload", "--hub_model_id", NAME) == 0
    assert hub.commits == [files_of(run / "hub_upload")] * 3
    (run / "hub_upload/predictions.parquet").write_bytes(b"1")
    assert push(run / "hub_upload", "--hub_model_id", NAME) == 2
    assert "predictions.parquet" in capsys.readouterr().err
    assert push(tmp_path, "--hub_model_id", NAME) == 2
    assert len(hub.commits) == 3


def test_the_card_takes_intervals_of_an_evaluation_of_this_model_only(
    hub, classifier_run, workspace, tmp_path, monkeypatch, capsys
):
    from cxrkit.evaluation.run import evaluate_model

    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", classifier_run, run], check=True)
    settings = load_settings(run / "best_model/settings.json")
    evaluate_model(classifier_run / "best_model", settings, output_dir=tmp_path / "other")
    assert push(run, "--hub_model_id", NAME, "--evaluation", "other") == 2
    assert "not of this model" in capsys.readouterr().err
    assert not hub.commits
    result = evaluate_model(run / "best_model", settings, output_dir=tmp_path / "evaluation_results")
    assert push(run, "--hub_model_id", NAME) == 0
    card = hub.commits[0]["README.md"].decode()
    assert "On the test split (" in card
    assert all(f"| {row[0]} | {row[1]} |" in card for row in result.table)
    assert re.search(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", card)


def test_a_run_that_does_not_say_how_it_was_made(classifier_run, tmp_path):
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", classifier_run, run], check=True)
    (run / "model_card.json").unlink()
    with pytest.raises(ArtifactError, match=r"model_card\.json"):
        write_upload_folder(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["me/my model!", "model"])
def test_a_name_the_hub_would_refuse_is_told_before_training(name):
    require_hub_name(None)
    require_hub_name("me/my-model")
    with pytest.raises(SettingsError, match="hub_model_id"):
        require_hub_name(name)
