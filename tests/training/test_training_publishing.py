"""What is published of a run: by allow-list, nothing of this machine, whole without a network."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from published_runs import files_of
from test_training_runs import vqa_settings

from cxrkit.errors import ArtifactError
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.vqa import SSGVQAModel
from cxrkit.training.publishing.facts import record_facts
from cxrkit.training.publishing.places import command_without_places
from cxrkit.training.publishing.upload_folder import write_upload_folder


def test_a_training_leaves_only_what_the_list_allows(vqa_run, classifier_run):
    common = {
        "README.md", "calibration.json", "config.json", "model.safetensors", "settings.json",
        "training_metadata.json",
    }  # fmt: skip
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
        ("cxrkit demo --data ../films --hub_model_id a/b", "cxrkit demo --data PATH"),
        (
            "cxrkit train vqa --wandb_project mine --set wandb.name=x --set=training.hub_push=end --epochs 2",
            "cxrkit train vqa --epochs 2",
        ),
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


def test_a_run_that_does_not_say_how_it_was_made(classifier_run, tmp_path):
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", classifier_run, run], check=True)
    (run / "model_card.json").unlink()
    with pytest.raises(ArtifactError, match=r"model_card\.json"):
        write_upload_folder(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()
