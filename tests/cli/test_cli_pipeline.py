"""The verbs one after the other on a tiny synthetic data set, as a user would call them."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cxrkit.config import load_settings


@pytest.fixture
def sources(synthetic_root: Path) -> list[object]:
    folders = synthetic_root / "mimic-cxr-jpg", synthetic_root / "mimic-ext-cxr-qba"
    return ["--mimic_cxr_path", folders[0], "--mimic_qa_path", folders[1]]


def test_synth_writes_and_refuses_to_overwrite(call, tmp_path):
    code, out, _ = call("synth", "data", "--patients", 2, "--image_size", 64, "--workers", 1)
    assert code == 0
    assert "patients" in out
    assert (tmp_path / "data/mimic-cxr-jpg/mimic-cxr-2.0.0-split.csv.gz").is_file()
    code, _, err = call("synth", "data", "--patients", 2)
    assert code == 2
    assert "expected" in err


def test_synth_lists_defects_and_knows_them(call):
    code, out, _ = call("synth", "--list_defects")
    assert code == 0
    assert "missing_image" in out
    code, _, err = call("synth", "data", "--patients", 2, "--defect", "nonsense")
    assert code == 2
    assert "missing_image" in err


def test_prepare_and_analyze(call, sources, tmp_path):
    size = ["--set", "data.image_store_size=96"]
    code, out, _ = call("prepare", *sources, *size, "--set", "data.image_size=64")
    assert code == 0
    assert "0 rejects" in out
    code, out, _ = call("analyze", "--output_dir", "analysis")
    assert code == 0
    assert "ready for training: yes" in out
    assert json.loads((tmp_path / "analysis/analysis_report.json").read_text())["ready"] is True


def test_prepare_counts_what_it_skips(call, synthetic_root, tmp_path):
    films = tmp_path / "films"
    shutil.copytree(synthetic_root / "mimic-cxr-jpg", films)
    next(films.glob("files/p1*/p*/s*/*.jpg")).unlink()
    questions = synthetic_root / "mimic-ext-cxr-qba"
    code, out, _ = call("prepare", "--mimic_cxr_path", films, "--mimic_qa_path", questions)
    assert code == 0
    assert "missing_image" in out
    assert "rejects.csv" in out


def test_a_workspace_of_other_data_is_refused(call, sources, workspace, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    code, _, err = call("analyze", *sources[:2], "--mimic_qa_path", other, "--workspace", workspace)
    assert code == 2
    assert "--workspace" in err


def test_data_that_is_not_ready_ends_with_1(call, sources, tmp_path):
    (tmp_path / "films_only.yaml").write_text("task: classify\n")
    code, out, _ = call("analyze", "--config", "films_only.yaml", *sources[:2])
    assert code == 0
    code, out, _ = call("analyze", "--task", "vqa")
    assert code == 1
    assert "ready for training: no" in out


def test_training_asks_for_the_analysis_then_trains_and_evaluates(
    call, workspace, tmp_path, monkeypatch, tiny_settings
):
    (tmp_path / "tiny.yaml").write_text(tiny_settings)
    train = ["train", "vqa", "--config", "tiny.yaml", "--workspace", workspace, "--output_dir", "run"]
    code, _, err = call(*train)
    assert code == 2
    assert "DATA ANALYSIS NOT FOUND" in err
    assert f"cxrkit analyze --config tiny.yaml --workspace {workspace}" in err
    code, out, _ = call(*train, "--skip_data_check", "--disable_wandb")
    assert code == 0
    assert "after 1 update," in out
    assert "run/best_model" in out
    resolved = load_settings(tmp_path / "run/config.json", "vqa")
    assert resolved.data.image_store_size == 96
    assert resolved.data.mimic_cxr_jpg_path.name == "mimic-cxr-jpg"
    # From another folder, and named by its run.
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    evaluate = ["evaluate", "--model_path", "../run", "--split", "validate", "--set", "data.max_samples=2"]
    code, out, err = call(*evaluate)
    assert code == 0
    assert "taking ../run/best_model" in err
    assert "Binary: balanced accuracy" in " ".join(out.split())
    assert (tmp_path / "elsewhere/evaluation_results/predictions.parquet").is_file()
    code, _, err = call(*evaluate, "--explanation_questions", "3")
    assert code == 2
    assert "without --compute_explanations" in err
    code, _, err = call(*evaluate, "--compute_explanations", "True", "--explanation_questions", "3")
    assert code == 0
    explained = pq.read_table(tmp_path / "elsewhere/evaluation_results/predictions.parquet")
    assert sum(explained.column("explained").to_pylist()) == 3
    assert "Explanations" in (tmp_path / "elsewhere/evaluation_results/report.html").read_text()
    code, _, err = call(*evaluate, "--workspace", "nowhere")
    assert code == 2
    assert "no prepared workspace to evaluate on" in err
    assert "cxrkit prepare --mimic_cxr_path" in err
    assert not (tmp_path / "elsewhere/nowhere").exists()


def test_training_and_analysis_are_of_the_same_films_and_task(call, workspace, tmp_path, tiny_settings):
    (tmp_path / "tiny.yaml").write_text(tiny_settings)
    code, out, _ = call("analyze", "--config", "tiny.yaml", "--workspace", workspace)
    assert code == 0, out
    train = ["train", "vqa", "--config", "tiny.yaml", "--workspace", workspace]
    code, _, err = call(*train, "--set", "data.view_filter=all")
    assert code == 2
    assert "for this choice of data" in err
    code, _, err = call("train", "classify", "--workspace", workspace, "--set", "data.analysis_dir=none")
    assert code == 2
    assert f"cxrkit analyze --task classify --workspace {workspace}" in err
    # Inside the repository, where the script lies, the script is named.
    (tmp_path / "analyze_data.py").touch()
    code, _, err = call("train", "classify", "--workspace", workspace, "--set", "data.analysis_dir=none")
    assert code == 2
    assert f"python analyze_data.py --task classify --workspace {workspace}" in err


def test_a_store_of_more_pixels_is_taken_for_training(call, workspace, tmp_path, tiny_settings):
    (tmp_path / "tiny.yaml").write_text(
        tiny_settings.replace("image_size: 32", "image_size: 32, image_store_size: 64")
    )
    code, _, err = call(
        "train", "vqa", "--config", "tiny.yaml", "--workspace", workspace, "--output_dir", "run",
        "--skip_data_check", "--local_rank", "0",
    )  # fmt: skip
    assert code == 0, err


def test_prepare_again_only_when_forced(call, sources):
    size = ["--set", "data.image_store_size=64", "--set", "data.image_size=64"]
    for words, told in (([], "prepared"), ([], "already up to date"), (["--force"], "prepared")):
        code, out, _ = call("prepare", *sources, *size, *words)
        assert code == 0
        assert out.startswith(told)


def test_the_model_must_fit_the_stored_images(call, workspace):
    code, _, err = call("train", "classify", "--workspace", workspace, "--skip_data_check")
    assert code == 2
    assert "data.image_size: found 224" in err


def test_evaluation_of_a_folder_without_a_model(call, workspace):
    code, _, err = call("evaluate", "--model_path", "nowhere", "--workspace", workspace)
    assert code == 2
    assert "no model in nowhere" in err


def test_demo_shows_its_table_and_where_the_report_is(call, monkeypatch, tmp_path):
    from cxrkit.demo import DemoResult

    given = []

    def run_demo(output_dir, data, seed, progress):
        given.append((output_dir, data, seed))
        progress("training vqa", 1, 1)
        row = ("Binary: balanced accuracy", "0.800 [0.700, 0.900]", "0.500", "0.510", "0.500")
        return DemoResult(tmp_path / "report.html", [row], {"data": 12.0, "evaluation": 30.0})

    monkeypatch.setattr("cxrkit.demo.run_demo", run_demo)
    code, out, _ = call("demo", "--data", "films", "--output_dir", "out", "--seed", 4)
    assert (code, given) == (0, [(Path("out"), Path("films"), 4)])
    assert "0.800 [0.700, 0.900]" in out
    assert "42" in out
    assert f"report: {tmp_path / 'report.html'}" in out


CLASSIFY = """
task: classify
model: {visual_backbone: resnet10t, pretrained: false}
data: {image_size: 32, max_samples: 12}
training: {batch_size_per_gpu: 4, gradient_accumulation_steps: 1, max_steps: 2, gradient_checkpointing: false,
           dataloader_num_workers: 0, dataloader_pin_memory: false, ema_decay: 0.5}
wandb: {enabled: false}
deepspeed: {enabled: false}
"""


def test_several_label_policies_are_trained_and_put_side_by_side(call, workspace, tmp_path):
    (tmp_path / "tiny.yaml").write_text(CLASSIFY)
    words = ["train", "classify", "--config", "tiny.yaml", "--workspace", workspace, "--skip_data_check"]
    code, out, _ = call(*words, "--output_dir", "runs", "--label_policies", "zeros,blank_ignore")
    assert code == 0
    for policy in ("zeros", "blank_ignore"):
        kept = json.loads((tmp_path / f"runs/{policy}/best_model/config.json").read_text())
        assert kept["label_policy"] == policy
    lines = (tmp_path / "runs/label_policies.csv").read_text().splitlines()
    assert lines[0] == "figure,label_policy,value,interval_low,interval_high"
    assert len(lines) == 1 + 2 + 1 + 2 * 14
    assert all(len(line.split(",")) == 5 for line in lines)
    assert "blank and -1 count as 0 for every policy" in out
    for wrong, told in (("zeros,zeros", "named twice"), ("zeros,nones", "label_policy")):
        code, _, err = call(*words, "--output_dir", "more", "--label_policies", wrong)
        assert code == 2
        assert told in err


def test_a_run_goes_on_where_it_was_and_says_which_weights_are_best(call, workspace, tmp_path):
    (tmp_path / "tiny.yaml").write_text(CLASSIFY)
    words = ["train", "classify", "--config", "tiny.yaml", "--workspace", workspace, "--skip_data_check"]
    words += ["--output_dir", "run"]
    code, out, _ = call(*words)
    assert code == 0
    assert "of the raw weights" in out
    assert "of the averaged weights" in out
    code, _, err = call(*words)
    assert code == 2
    assert "earlier run" in err
    code, again, _ = call(*words, "--resume_from_checkpoint", "auto")
    assert (code, again) == (0, out)
