"""What arrives at the hub, and that one out of reach never undoes a training."""

import hashlib
import json
import logging
import re
import socket
import subprocess
import sys
import time

import huggingface_hub
import pytest
from published_runs import NAME, SHORT, files_of, tries
from test_training_runs import classify_settings

from cxrkit.cli import main
from cxrkit.config import load_settings
from cxrkit.errors import PublishingError, SettingsError
from cxrkit.training.classify import train_classifier
from cxrkit.training.publishing import hub as hub_room
from cxrkit.training.publishing.hub import Repository, require_hub_name, upload


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


@pytest.mark.parametrize("name", ["me/my model!", "model"])
def test_a_name_the_hub_would_refuse_is_told_before_training(name):
    require_hub_name(None)
    require_hub_name("me/my-model")
    with pytest.raises(SettingsError, match="hub_model_id"):
        require_hub_name(name)


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
