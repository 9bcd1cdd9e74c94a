"""`cxrkit ablate` on tiny models: trained, evaluated, compared, gone on with; failures are named."""

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from cxrkit.cli import train_verbs
from cxrkit.config import load_settings
from cxrkit.training.run_folder import read_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def files(tmp_path, tiny_settings):
    def write(**texts):
        (tmp_path / "full.yaml").write_text(tiny_settings)
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(f"extends: full.yaml\n{text}\n")
        return [f"{name}.yaml" for name in (*texts, "full")]

    return write


def test_ablations_are_trained_evaluated_and_compared_and_a_second_call_does_nothing_again(
    call, files, workspace, tmp_path
):
    names = files(
        text_only="model: {scene_graph_source: none, reads_film: false}",
        broken="model: {visual_backbone: no_such_network}",
    )
    words = ["ablate", "--config", *names, "--workspace", workspace, "--skip_data_check"]
    code, out, _ = call(*words, "--protocols", "blank_image,majority")
    assert code == 2
    assert "failed: broken, in training" in out
    assert "no_such_network" in out
    table = (tmp_path / "ablations/ablation.csv").read_text()
    assert "text_only" in table
    assert (tmp_path / "ablations/ablation.html").exists()
    assert (tmp_path / "ablations/ablation.tex").exists()
    content = json.loads((tmp_path / "ablations/ablation.json").read_text())
    assert [run["name"] for run in content["runs"]] == ["full", "text_only"]
    report = json.loads(
        (tmp_path / "ablations/text_only/evaluation_results/evaluation_report.json").read_text()
    )
    values = {
        entry["condition"]: entry["value"]
        for entry in report["metrics"]
        if (entry["head"], entry["name"]) == ("category", "macro_auroc")
    }
    # A network that sees no film answers as it does on an empty one.
    assert values["model"] == values["blank_image"]
    files_before = {
        path: path.stat().st_mtime_ns
        for path in tmp_path.glob("ablations/*/**/*")
        if path.is_file() and "broken" not in path.parts
    }
    (tmp_path / "broken.yaml").write_text("extends: text_only.yaml\ntraining: {seed: 7}\n")
    code, out, err = call(*words, "--protocols", "blank_image,majority")
    assert code == 0, err
    assert "full (1 of 3): trained already" in out
    assert "text_only (2 of 3): evaluated already" in out
    assert {path: path.stat().st_mtime_ns for path in files_before} == files_before
    content = json.loads((tmp_path / "ablations/ablation.json").read_text())
    assert [run["name"] for run in content["runs"]] == ["full", "text_only", "broken"]


def test_a_changed_file_never_passes_for_the_run_that_is_there(call, files, workspace, tmp_path):
    names = files(no_sim="model: {sim_layers: 0}")
    words = ["ablate", "--config", *names, "--workspace", workspace, "--skip_data_check",
             "--protocols", "majority"]  # fmt: skip
    assert call(*words)[0] == 0
    (tmp_path / "no_sim.yaml").write_text("extends: full.yaml\nmodel: {sim_layers: 2}\n")
    code, out, _ = call(*words)
    assert code == 2
    assert "failed: no_sim, in training" in out
    assert "model.sim_layers" in out
    # A table needs two.
    assert "no comparison: results of 1 ablation(s)" in out


def test_what_cannot_be_compared_is_refused_before_any_training(call, files, workspace, tmp_path):
    files(other="data: {quality_grade: A}", task="")
    code, _, err = call("ablate", "--config", "full.yaml")
    assert (code, "expected two or more" in err) == (2, True)
    code, _, err = call("ablate", "--config", "full.yaml", "other.yaml", "full.yaml")
    assert (code, "full is named twice" in err) == (2, True)
    code, _, err = call("ablate", "--config", "full.yaml", "other.yaml")
    assert code == 2
    assert "other: data.quality_grade A, but B in full" in err
    (tmp_path / "task.yaml").write_text("task: classify\n")
    code, _, err = call("ablate", "--config", "full.yaml", "task.yaml")
    assert code == 2
    assert "task: task classify, but vqa in full" in err
    words = ["ablate", "--config", "full.yaml", "task.yaml"]
    (tmp_path / "task.yaml").write_text("extends: full.yaml\n")
    code, _, err = call(*words, "--protocols", "blank")
    assert (code, "'blank' is unknown" in err) == (2, True)
    (tmp_path / "task.yaml").write_text(
        "extends: full.yaml\ndata: {image_size: 4096, image_store_size: 4096}\n"
    )
    code, _, err = call(*words, "--workspace", workspace, "--skip_data_check")
    assert (code, "data.image_size of task: found 4096" in err) == (2, True)
    assert not (tmp_path / "ablations").exists()


def test_a_stopped_command_goes_on_where_it_was(call, workspace, tmp_path, monkeypatch, tiny_settings):
    text = "task: classify\ndata: {image_size: 32, max_samples: 8}\n" + "".join(
        f"{line}\n" for line in tiny_settings.splitlines() if line.startswith(("wandb", "deepspeed"))
    )
    training = (
        "training: {batch_size_per_gpu: 4, gradient_accumulation_steps: 1, max_steps: 3, seed: 3,\n"
        "           gradient_checkpointing: false, dataloader_num_workers: 0, dataloader_pin_memory: false}\n"
    )
    (tmp_path / "full.yaml").write_text(
        text + training + "model: {visual_backbone: resnet10t, pretrained: false}\n"
    )
    (tmp_path / "resnet14t.yaml").write_text("extends: full.yaml\nmodel: {visual_backbone: resnet14t}\n")
    words = ["ablate", "--config", "full.yaml", "resnet14t.yaml", "--workspace", workspace]
    words += ["--skip_data_check", "--split", "validate"]
    whole = train_verbs.run_training

    def stopped(settings, bars):
        if settings.training.output_dir.name == "full":
            return whole(settings, bars)

        def report(stage, done, total):
            bars.report(stage, done, total)
            if total == 3 and done == 2:
                os.kill(os.getpid(), signal.SIGUSR1)

        return whole(settings, SimpleNamespace(report=report))

    monkeypatch.setattr(train_verbs, "run_training", stopped)
    code, out, err = call(*words)
    # SLURM scripts put a job back into the queue on it.
    assert (code, "resnet14t (2 of 2): training" in out) == (75, True), err
    stopped_at = tmp_path / "ablations/resnet14t/checkpoint-2"
    saved = (stopped_at / "model.safetensors").stat().st_mtime_ns
    assert not (tmp_path / "ablations/full/evaluation_results").exists()

    monkeypatch.setattr(train_verbs, "run_training", whole)
    code, out, err = call(*words)
    assert code == 0, err
    assert "full (1 of 2): trained already" in out
    assert (stopped_at / "model.safetensors").stat().st_mtime_ns == saved
    assert read_run(tmp_path / "ablations/resnet14t")["finished"]
    content = json.loads((tmp_path / "ablations/ablation.json").read_text())
    assert [run["name"] for run in content["runs"]] == ["full", "resnet14t"]
    assert "full and resnet14t are not distinguishable" in out


def _flat(settings):
    return {
        f"{section}.{key}": value
        for section, part in settings.model_dump().items()
        if isinstance(part, dict)
        for key, value in part.items()
    }


def _changed(folder, task):
    """Gives what each file of a folder changes of its `full.yaml`, which is the default."""
    found = {path.stem: _flat(load_settings(path)) for path in (ROOT / folder).glob("*.yaml")}
    full = found.pop("full")
    assert full == _flat(load_settings(None, task))
    return {
        name: {key: value for key, value in flat.items() if value != full[key]}
        for name, flat in found.items()
    }


@pytest.mark.parametrize("folder", ["", "classify/"])
def test_the_document_names_every_file(folder):
    text = (ROOT / "docs/ablations.md").read_text()
    names = [path.name for path in (ROOT / "configs/ablations" / folder).glob("*.yaml")]
    assert names
    assert [name for name in names if f"| `{folder}{name}` |" not in text] == []


def test_each_file_of_the_classifier_changes_what_its_name_says():
    assert _changed("configs/ablations/classify", "classify") == {
        "resnet50": {"model.visual_backbone": "resnet50"},
        "densenet121": {"model.visual_backbone": "densenet121"},
        "internimage_t": {"model.visual_backbone": "internimage_t"},
        "no_pretraining": {"model.pretrained": False},
        "no_augmentation": {"data.augment": False},
    }


def test_each_file_takes_away_what_its_name_says():
    assert _changed("configs/ablations", "vqa") == {
        "no_scene_graph": {"model.scene_graph_source": "none"},
        "global_features_only": {"model.roi_source": "global"},
        "no_sim": {"model.sim_layers": 0},
        "no_graph_edges": {"model.graph_edges": False},
        "no_graph_readings": {"model.graph_readings": 0},
        "no_chexpert_head": {"training.chexpert_loss_weight": 0.0},
        "no_grounding_loss": {"training.grounding_loss_weight": 0.0},
        "text_only": {"model.scene_graph_source": "none", "model.reads_film": False},
    }
