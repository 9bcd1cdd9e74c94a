"""Both tasks trained for a few steps through the engine: what a run leaves, and that it repeats."""

import csv
import gzip
import json
import shutil
import zipfile

import pyarrow.compute as pc
import pytest
import torch
from safetensors.torch import load_file

from cxrkit.config import load_settings
from cxrkit.data.prepare import prepare_workspace
from cxrkit.errors import ArtifactError, SettingsError
from cxrkit.evaluation.classification_scores import score_classification
from cxrkit.evaluation.run import evaluate_vqa
from cxrkit.evaluation.vqa_scores import score_vqa
from cxrkit.inference.classification import predict_classifier
from cxrkit.inference.questions import predict_vqa
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.vqa import SSGVQAModel
from cxrkit.training.classify import train_classifier
from cxrkit.training.vqa import train_vqa
from cxrkit.vocabulary import CLASSES_OF_HEAD, FINDINGS, Head

COMMON = {
    "data.image_size": 64,
    "data.image_store_size": 96,
    "data.quality_grade": "B",
    "data.questions_per_image": 4,
    "training.batch_size_per_gpu": 4,
    "training.gradient_accumulation_steps": 1,
    "training.max_steps": 4,
    "training.eval_steps": 2,
    "training.save_steps": 2,
    "training.logging_steps": 1,
    "training.dataloader_num_workers": 0,
    "training.gradient_checkpointing": False,
    "wandb.enabled": False,
    "model.visual_backbone": "resnet10t",
    "model.pretrained": False,
}
TINY_VQA = {
    "model.text_encoder": "scratch:tiny",
    "model.visual_feature_dim": 32,
    "model.hidden_size": 32,
    "model.intermediate_size": 64,
    "model.num_hidden_layers": 1,
    "model.num_attention_heads": 4,
    "model.sim_layers": 1,
    "model.visual_patches": 2,
    "model.max_question_length": 48,
}


def vqa_settings(workspace, output_dir, **more):
    paths = {"data.workspace": workspace, "training.output_dir": output_dir}
    return load_settings(None, "vqa", COMMON | TINY_VQA | paths | more)


def classify_settings(workspace, output_dir, **more):
    paths = {"data.workspace": workspace, "training.output_dir": output_dir}
    return load_settings(None, "classify", COMMON | paths | more)


@pytest.fixture(scope="module")
def vqa_run(workspace, tmp_path_factory):
    settings = vqa_settings(workspace, tmp_path_factory.mktemp("vqa") / "run")
    steps = []
    run = train_vqa(settings, progress=lambda stage, done, total: steps.append((stage, done, total)))
    return settings, run, steps


@pytest.fixture(scope="module")
def classifier_run(workspace, tmp_path_factory):
    settings = classify_settings(workspace, tmp_path_factory.mktemp("classify") / "run")
    return settings, train_classifier(settings)


def test_a_run_leaves_settings_checkpoints_metrics_and_a_whole_model(vqa_run):
    settings, run, steps = vqa_run
    assert load_settings(run.run_dir / "config.json", "vqa") == settings
    assert {path.name for path in run.run_dir.glob("checkpoint-*")} == {"checkpoint-2", "checkpoint-4"}
    assert (run.run_dir / "checkpoint-4" / "model.safetensors").is_file()
    lines = [json.loads(line) for line in (run.run_dir / "metrics.jsonl").read_text().splitlines()]
    parts = {
        "loss_binary",
        "loss_category",
        "loss_region",
        "loss_severity",
        "loss_chexpert",
        "loss_graph_box",
    }
    assert parts <= set(lines[0])
    assert any("eval_binary_balanced_accuracy" in line for line in lines)
    assert [step[1:] for step in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    SSGVQAModel.from_pretrained(run.best_model)
    metadata = json.loads((run.best_model / "training_metadata.json").read_text())
    assert metadata["validation_metrics"] == run.metrics
    assert metadata["step"] == run.step


def test_label_policy_of_the_training_is_in_model_and_report(classifier_run, workspace, tmp_path):
    _, zeros = classifier_run
    settings = classify_settings(workspace, tmp_path / "run", **{"model.label_policy": "blank_ignore"})
    other = train_classifier(settings)
    report = score_classification(predict_classifier(other.best_model, settings), n_resamples=5)
    assert (report["trained_label_policy"], report["label_policy"]) == ("blank_ignore", "zeros")
    assert "Trained under label policy blank_ignore" in report["notes"][0]
    one, two = (load_file(run.best_model / "model.safetensors") for run in (zeros, other))
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_layer_decay_holds_early_layers_back(classifier_run, workspace, tmp_path):
    _, even = classifier_run
    run = train_classifier(classify_settings(workspace, tmp_path / "run", **{"training.layer_decay": 0.01}))
    one, two = (load_file(each.run_dir / "checkpoint-4" / "model.safetensors") for each in (even, run))
    stem = next(name for name in one if name.endswith("conv1.0.weight"))
    start = load_file(run.run_dir / "checkpoint-2" / "model.safetensors")[stem]
    before = load_file(even.run_dir / "checkpoint-2" / "model.safetensors")[stem]
    assert (two[stem] - start).abs().max() < 0.01 * (one[stem] - before).abs().max()


def test_the_moving_average_is_validated_and_kept_beside_the_weights(workspace, tmp_path):
    run = train_classifier(classify_settings(workspace, tmp_path / "run", **{"training.ema_decay": 0.9}))
    lines = [json.loads(line) for line in (run.run_dir / "metrics.jsonl").read_text().splitlines()]
    assert any({"eval_mean_auroc", "eval_average_mean_auroc"} <= line.keys() for line in lines)
    raw, averaged, best = (
        load_file(run.run_dir / name / "model.safetensors")
        for name in ("best_model_raw", "best_model_averaged", "best_model")
    )
    assert any(not torch.equal(raw[name], averaged[name]) for name in raw)
    assert {kept.weights for kept in run.others} == {"raw", "averaged"}
    values = {kept.weights: kept.metrics["mean_auroc"] for kept in run.others}
    assert run.weights == max(values, key=values.get)
    taken = raw if run.weights == "raw" else averaged
    assert all(torch.equal(best[name], taken[name]) for name in best)
    metadata = json.loads((run.best_model / "training_metadata.json").read_text())
    assert metadata["weights"] == run.weights


@pytest.mark.parametrize("task", ["vqa", "classify"])
def test_a_frozen_backbone_keeps_weights_and_statistics_and_is_let_go(task, workspace, tmp_path):
    settings, train = {
        "vqa": (vqa_settings, train_vqa), "classify": (classify_settings, train_classifier)
    }[task]  # fmt: skip
    more = {
        "training.freeze_backbone_epochs": 1, "data.max_samples": 8, "training.save_steps": 1,
        "training.save_total_limit": 9,
    }  # fmt: skip
    run = train(settings(workspace, tmp_path / "run", **more))
    one, two, last = (
        load_file(run.run_dir / f"checkpoint-{step}" / "model.safetensors") for step in (1, 2, 4)
    )
    body, head = {
        "vqa": ("network.visual.body.", "network.visual.project_fine."),
        "classify": ("network.network.layer", "network.network.fc."),
    }[task]
    assert all(torch.equal(one[name], two[name]) for name in one if name.startswith(body))
    assert any(not torch.equal(one[name], two[name]) for name in one if name.startswith(head))
    changed = [name for name in one if name.startswith(body) and not torch.equal(two[name], last[name])]
    assert any("running_mean" in name for name in changed)
    assert any(name.endswith("conv1.weight") for name in changed)


def test_positives_weigh_what_the_settings_say(workspace, tmp_path, caplog):
    def first_loss(weight):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        settings = classify_settings(
            workspace, folder, **{"training.pos_weight": weight, "training.max_steps": 1}
        )
        run = train_classifier(settings)
        return json.loads((run.run_dir / "metrics.jsonl").read_text().splitlines()[0])["loss"]

    plain = first_loss(None)
    assert first_loss({"Edema": 1.0}) == pytest.approx(plain)
    assert first_loss(dict.fromkeys(FINDINGS[:13], 50.0)) > plain
    caplog.set_level("INFO", logger="cxrkit")
    assert first_loss("balanced") > plain
    assert "weight of positives in the loss: " in caplog.text


def test_an_unknown_finding_of_pos_weight_is_told(workspace, tmp_path):
    with pytest.raises(SettingsError, match="Edemma"):
        classify_settings(workspace, tmp_path, **{"training.pos_weight": {"Edemma": 2.0}})


def test_the_same_seed_gives_the_same_weights(vqa_run, workspace, tmp_path):
    _, first, _ = vqa_run
    again = train_vqa(vqa_settings(workspace, tmp_path / "again"))
    one, two = (load_file(run.run_dir / "checkpoint-4" / "model.safetensors") for run in (first, again))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_every_answerable_question_is_answered_under_every_condition(vqa_run):
    settings, run, _ = vqa_run
    table = predict_vqa(run.best_model, settings, compute_attention=True).answers
    by_condition = {}
    for row in table.to_pylist():
        by_condition.setdefault(row["condition"], []).append(row)
        assert len(row["probabilities"]) == len(CLASSES_OF_HEAD[Head(row["head"])])
        assert all(0 <= value <= 1 for value in row["probabilities"])
        assert row["answer_predicted"]
    rows = {name: [row["question_row"] for row in part] for name, part in by_condition.items()}
    assert set(rows) == {
        "model",
        "anatomy",
        "oracle",
        "none",
        "blank_image",
        "shuffled_image",
        "majority",
        "question_only",
    }
    assert len({tuple(part) for part in rows.values()}) == 1
    attention = by_condition["model"][0]["attention"]
    assert len(attention) == 4
    assert sum(attention) <= 1 + 1e-5
    assert len(by_condition["model"][0]["node_attention"]) == 26
    references = {
        tuple(map(tuple, (row["classes_reference"] for row in part))) for part in by_condition.values()
    }
    assert len(references) == 1


def test_explanations_begin_and_end_with_the_answers_to_the_whole_and_the_empty_film(vqa_run):
    settings, run, _ = vqa_run
    told = []
    table = predict_vqa(
        run.best_model, settings, protocols=("blank_image",), explanation_questions=6,
        progress=lambda *parts: told.append(parts),
    ).answers  # fmt: skip
    rows = table.to_pylist()
    blank = {row["question_row"]: row for row in rows if row["condition"] == "blank_image"}
    explained = [row for row in rows if row["explained"]]
    assert len(explained) == 6
    assert told[-1] == ("explaining answers", 6, 6)
    assert all(row["condition"] == "model" for row in explained)
    curved = [row for row in explained if row["classes_predicted"]]
    assert curved
    for row in curved:
        chosen = row["classes_predicted"]
        whole = sum(row["probabilities"][index] for index in chosen) / len(chosen)
        empty = sum(blank[row["question_row"]]["probabilities"][index] for index in chosen) / len(chosen)
        assert row["perturbed_shares"] == [0.0, 0.25, 0.5, 0.75, 1.0]
        for suffix in ("", "_random"):
            deletion, insertion = row[f"deletion{suffix}"], row[f"insertion{suffix}"]
            assert (deletion[0], insertion[-1]) == pytest.approx((whole, whole), abs=1e-4)
            assert (deletion[-1], insertion[0]) == pytest.approx((empty, empty), abs=1e-4)
        assert len(set(row["deletion"])) > 1
        if row["nodes_reference"]:
            assert row["ablated_nodes"] == row["nodes_reference"]
            assert row["ablation_probabilities"][0] == pytest.approx(whole, abs=1e-4)
    # The square holds the whole film, so that its attention can be compared with boxes on it.
    for row in explained:
        x1, y1, x2, y2 = row["square_px"]
        assert x2 - x1 == pytest.approx(y2 - y1)
        assert all(x1 <= box[0] and box[2] <= x2 and y1 <= box[1] and box[3] <= y2
                   for box in row["boxes_reference"])  # fmt: skip
    metrics = {entry["name"] for entry in score_vqa(table, n_resamples=5)["metrics"]}
    assert {"attention_mass_inside", "deletion_area", "region_ablation_drop"} <= metrics


def test_blank_image_answers_do_not_depend_on_the_film(vqa_run):
    settings, run, _ = vqa_run
    table = predict_vqa(run.best_model, settings, protocols=("blank_image",)).answers.to_pylist()
    assert {row["condition"] for row in table} == {"model", "blank_image", "majority"}
    by_text = {}
    for row in (row for row in table if row["condition"] == "blank_image"):
        by_text.setdefault((row["question"], row["question_type"]), set()).add(
            tuple(round(value, 4) for value in row["probabilities"])
        )
    assert all(len(values) == 1 for values in by_text.values())


def test_the_graphs_of_test_studies_reach_no_honest_prediction(vqa_run, synthetic_root, tmp_path):
    """Other scene-graph files: `predicted` and `none` answer bit for bit the same, the oracle does not."""
    settings, run, _ = vqa_run
    changed = with_other_test_graphs(synthetic_root, tmp_path)
    folder = tmp_path / "workspace"
    qba = changed / "mimic-ext-cxr-qba"
    prepare_workspace(changed / "mimic-cxr-jpg", qba, folder, image_store_size=96)
    moved = settings.model_copy(update={"data": settings.data.model_copy(update={"workspace": folder})})
    first, second = (predict_vqa(run.best_model, each) for each in (settings, moved))
    said = (
        "question_row",
        "probabilities",
        "answer_predicted",
        "boxes_predicted",
        "box_scores",
        "node_scores",
    )

    def answers(predictions, condition):
        table = predictions.answers.filter(pc.field("condition") == condition)
        return table.select(said).replace_schema_metadata(None)

    for condition in ("model", "none", "blank_image", "shuffled_image"):
        assert answers(first, condition).equals(answers(second, condition)), condition
    for condition in ("oracle", "anatomy"):
        assert not answers(first, condition).equals(answers(second, condition)), condition
    graphs = [table.graphs.filter(pc.field("condition") == "model") for table in (first, second)]
    for name in ("boxes_predicted", "presence_probabilities", "finding_probabilities"):
        assert graphs[0].column(name).equals(graphs[1].column(name))
    assert not graphs[0].column("boxes_reference").equals(graphs[1].column("boxes_reference"))


def test_other_entities_and_missing_graphs_reach_no_honest_prediction_either(
    vqa_run, synthetic_root, tmp_path, caplog
):
    """A name that the model never saw, and a study without its graph: told, left out, and no bit else."""
    settings, run, _ = vqa_run
    changed = with_other_test_graphs(synthetic_root, tmp_path, entity="a new finding", drop_first=True)
    folder = tmp_path / "workspace"
    qba = changed / "mimic-ext-cxr-qba"
    prepare_workspace(changed / "mimic-cxr-jpg", qba, folder, image_store_size=96)
    moved = settings.model_copy(update={"data": settings.data.model_copy(update={"workspace": folder})})
    first = predict_vqa(run.best_model, settings, protocols=("none",)).answers
    with caplog.at_level("WARNING", logger="cxrkit"):
        found = predict_vqa(run.best_model, moved)
    assert "protocol oracle is left out" in caplog.text
    assert found.graphs is None
    for condition in ("model", "none"):
        one, two = (table.filter(pc.field("condition") == condition) for table in (first, found.answers))
        for name in ("question_row", "probabilities", "boxes_predicted", "node_scores"):
            assert one.column(name).equals(two.column(name)), (condition, name)
    with pytest.raises(ArtifactError, match="other entities"):
        predict_vqa(run.best_model, moved, protocols=("oracle",))


def with_other_test_graphs(root, folder, *, entity=None, drop_first=False):
    """Copies a data set; the scene graphs of its test studies get other boxes and other findings."""
    copy = shutil.copytree(root, folder / "data")
    archive = copy / "mimic-ext-cxr-qba" / "scene_data.zip"
    with gzip.open(copy / "mimic-cxr-jpg" / "mimic-cxr-2.0.0-split.csv.gz", "rt") as stream:
        test = {f"s{row['study_id']}" for row in csv.DictReader(stream) if row["split"] == "test"}
    with zipfile.ZipFile(archive) as source:
        members = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(archive, "w") as target:
        for name, content in members.items():
            stem, _, kind = name.rpartition("/")[2].partition(".")
            if stem in test and kind == "scene_graph.json":
                if drop_first:
                    drop_first = False
                    continue
                content = json.dumps(_other_graph(json.loads(content), entity)).encode()
            target.writestr(name, content)
    return copy


def _other_graph(value, entity):
    if isinstance(value, dict):
        turned = {"pos": "neg", "neg": "pos"}
        value = {key: _other_graph(part, entity) for key, part in value.items()}
        if entity and value.get("obs_entities"):
            value["obs_entities"] = [entity]
        if value.get("positiveness") in turned:
            value["positiveness"] = turned[value["positiveness"]]
        if "bboxes" in value:
            value["bboxes"] = [
                [x1 // 2, y1 // 2, x2 // 2 + 8, y2 // 2 + 8] for x1, y1, x2, y2 in value["bboxes"]
            ]
        return value
    return [_other_graph(part, entity) for part in value] if isinstance(value, list) else value


def test_a_model_without_predicted_graphs_is_not_asked_for_them(workspace, tmp_path):
    settings = vqa_settings(
        workspace, tmp_path / "run", **{"model.scene_graph_source": "none", "training.max_steps": 1}
    )
    run = train_vqa(settings)
    found = predict_vqa(run.best_model, settings)
    assert found.graphs is None
    assert "predicted" not in set(found.answers.column("condition").to_pylist())
    result = evaluate_vqa(run.best_model, settings, output_dir=tmp_path / "out")
    assert [row[0] for row in result.evidence] == [
        "no graph (this model)",
        "shuffled image",
        "blank image",
        "question only",
        "majority",
    ]
    assert "this condition never predicts boxes" in result.html_path.read_text()
    with pytest.raises(SettingsError, match="predicted reads parts of the network"):
        predict_vqa(run.best_model, settings, protocols=("predicted",))
    with pytest.raises(SettingsError, match="'dreamt' is unknown"):
        predict_vqa(run.best_model, settings, protocols=("dreamt",))


def test_the_oracle_warm_up_ends(workspace, tmp_path):
    settings = vqa_settings(workspace, tmp_path / "run", **{"training.oracle_warmup_steps": 2})
    seen = []
    plain = SSGVQAModel.encode_image

    def noted(self, images, *, source=None, given=None):
        if self.training:
            seen.append(source if isinstance(source, str) else [*source].count("oracle"))
        return plain(self, images, source=source, given=given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SSGVQAModel, "encode_image", noted)
        train_vqa(settings)
    assert seen == [4, 2, "predicted", "predicted"]


def test_classifier_predicts_each_labelled_study(classifier_run):
    settings, run = classifier_run
    CXRClassifier.from_pretrained(run.best_model)
    table = predict_classifier(run.best_model, settings).to_pylist()
    studies = [row["study_id"] for row in table if row["condition"] == "model"]
    assert len(set(studies)) == len(studies) > 0
    assert {len(row["probabilities"]) for row in table} == {len(FINDINGS)}
    for condition in ("majority", "blank_image"):
        # A control that does not see the film says the same of all, to the last digit.
        said = [tuple(row["probabilities"]) for row in table if row["condition"] == condition]
        assert len(set(said)) == 1


def test_a_folder_in_use_is_not_overwritten(vqa_run, workspace):
    settings, run, _ = vqa_run
    before = (run.best_model / "model.safetensors").read_bytes()
    with pytest.raises(ArtifactError, match="earlier run"):
        train_vqa(settings)
    assert (run.best_model / "model.safetensors").read_bytes() == before


def test_an_unknown_metric_is_told_before_any_work(workspace, tmp_path):
    settings = vqa_settings(workspace, tmp_path / "run", **{"training.metric_for_best_model": "bleu"})
    with pytest.raises(SettingsError, match="bleu"):
        train_vqa(settings)
    assert not (tmp_path / "run").exists()


def test_early_stopping_ends_a_run_without_progress(workspace, tmp_path):
    settings = classify_settings(
        workspace,
        tmp_path / "run",
        **{"training.learning_rate": 1e-12, "training.max_steps": 30, "training.early_stopping_patience": 2},
        **{"training.eval_steps": 1, "training.metric_for_best_model": "mean_auroc", "data.max_samples": 8},
    )
    train_classifier(settings)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert max(line["step"] for line in lines) < 30
