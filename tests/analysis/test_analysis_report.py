import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from cxrkit.analysis import AnalysisReport, Thresholds, analyze
from cxrkit.data.index import Index
from cxrkit.errors import ArtifactError
from cxrkit.vocabulary import QUESTION_TYPE_NAMES, REGIONS, SPLITS

FILES = {"analysis_report.json", "distribution_plots.png", "report.html"}


@pytest.fixture
def judge(tmp_path: Path) -> Callable[..., AnalysisReport]:
    """Analyzes without drawing, which no verdict depends on."""

    def run(index, **choices) -> AnalysisReport:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cxrkit.analysis.report.draw_files", lambda *_: None)
            return analyze(index, tmp_path / "analysis", **choices)

    return run


def codes(report: AnalysisReport, level: str) -> set[str]:
    return {remark["code"] for remark in report.data["remarks"] if remark["level"] == level}


def remark(report: AnalysisReport, code: str) -> dict:
    return next(entry for entry in report.data["remarks"] if entry["code"] == code)


@pytest.fixture(scope="module")
def written(draw_index, tmp_path_factory):
    """A whole run with all its files: index, report, steps of progress."""
    steps = []
    index = draw_index(tmp_path_factory.mktemp("workspace"))
    folder = tmp_path_factory.mktemp("analysis") / "new"
    report = analyze(index, folder, progress=lambda *step: steps.append(step))
    return index, report, steps


def test_small_healthy_data_is_ready_with_warnings(written):
    _, report, steps = written
    assert report.ready
    assert report.reasons == []
    assert any("only 36 studies in the train split" in words for words in report.warnings)
    assert {entry.name for entry in report.path.parent.iterdir()} == FILES
    assert steps == [("analyzing", step, len(steps)) for step in range(1, len(steps) + 1)]


def test_the_file_is_the_report(written):
    index, report, _ = written
    assert report.path.name == "analysis_report.json"
    stored = json.loads(report.path.read_text("utf-8"))
    assert stored == report.data
    assert stored["ready"] is True
    assert stored["index_fingerprint"] == index.fingerprint
    assert stored["schema_version"] == 2
    assert stored["filter"] == {"quality_grade": "A", "minimum_rating": 4, "view_filter": "frontal_only"}


def test_plots_and_page_are_there(written):
    _, report, _ = written
    with Image.open(report.path.parent / "distribution_plots.png") as image:
        assert min(image.size) > 1000
    page = (report.path.parent / "report.html").read_text("utf-8")
    assert "ready for training" in page
    assert "://" not in page


def test_same_index_same_bytes(written, tmp_path):
    index, report, _ = written
    analyze(index, tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (report.path.parent / name).read_bytes()


def test_a_stopped_run_leaves_no_older_verdict(make_index, judge, monkeypatch):
    report = judge(make_index())
    assert report.path.exists()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("cxrkit.analysis.report.draw_files", fail)
    with pytest.raises(OSError, match="disk full"):
        analyze(make_index(), report.path.parent)
    assert not report.path.exists()


def test_no_images(make_index, judge):
    index = make_index()
    index.images = index.images.slice(0, 0)
    index.region_boxes = index.region_boxes.slice(0, 0)
    assert {"no_images", "no_questions_kept"} <= codes(judge(index), "blocking")


def test_no_film_of_the_wanted_view(make_index, judge):
    report = judge(make_index(), view_filter="lateral_only")
    assert not report.ready
    assert "no film passes the view filter lateral_only" in report.reasons
    assert judge(make_index(), view_filter="all").ready


def test_no_questions(make_index, judge):
    index = make_index()
    index.questions = index.questions.slice(0, 0)
    report = judge(index, task="vqa")
    assert "the index holds no question" in report.reasons
    assert "no_questions_kept" not in codes(report, "blocking")


def test_a_grade_filter_that_leaves_nothing(make_index, judge):
    index = make_index()
    index.replace("questions", rating=np.full(len(index.questions), 3))
    report = judge(index, quality_grade="A")
    assert report.reasons == ["no question passes the filter (grade A, frontal_only)"]
    assert judge(index, quality_grade="B").ready


@pytest.mark.parametrize(("place", "name"), [(0, "train"), (1, "validate"), (2, "test")])
def test_an_empty_split(make_index, judge, place, name):
    index = make_index()
    split = index.column("studies", "split").copy()
    split[split == place] = (place + 1) % 3
    report = judge(index.replace("studies", split=split))
    assert report.reasons == [f"the {name} split holds no study"]


def test_a_split_without_questions_that_take_part(make_index, judge):
    index = make_index()
    in_test = index.column("studies", "split")[index.column("questions", "study_row")] == 2
    rating = np.where(in_test, 0, index.column("questions", "rating"))
    report = judge(index.replace("questions", rating=rating))
    assert report.reasons == ["no question of the test split passes the filter (grade A, frontal_only)"]


def test_a_patient_in_two_splits(make_index, judge):
    index = make_index()
    subject = index.column("studies", "subject_id").copy()
    subject[-1] = subject[0]
    report = judge(index.replace("studies", subject_id=subject))
    assert codes(report, "blocking") == {"patient_in_several_splits"}
    assert report.data["shared_patients"] == 1


def test_too_many_rejected_films(make_index, judge):
    index = make_index()
    index.counts["rejects"] = {"missing_image": 4, "box_outside_image": 90}
    path = index.workspace / "index" / "rejects.csv"
    lines = ["code,kind", *["missing_image,image"] * 4, *["box_outside_image,box"] * 90]
    path.write_text("\n".join(lines) + "\n")
    report = judge(index)
    assert codes(report, "blocking") == {"rejected_images"}
    found = remark(report, "rejected_images")
    assert found["values"] == {"share": 0.0625, "images": 4}
    assert "finish the download" in found["message"]
    assert found["threshold"] == report.data["thresholds"]["rejected_image_share"] == 0.05
    assert judge(index, thresholds=Thresholds(rejected_image_share=0.07)).ready
    assert report.data["rejects"]["by_kind"] == {
        "box": {"box_outside_image": 90},
        "image": {"missing_image": 4},
    }


def test_missing_list_of_rejects_is_an_error_not_a_zero(make_index, judge):
    index = make_index()
    (index.workspace / "index" / "rejects.csv").unlink()
    with pytest.raises(ArtifactError, match="list of skipped things"):
        judge(index)


def test_no_scene_graphs(make_index, judge):
    index = make_index()
    index.replace("studies", has_scene_graph=np.zeros(len(index.studies), dtype=bool))
    report = judge(index)
    assert "no study has a scene graph" in report.reasons
    assert report.data["scene_graphs"]["coverage"]["with_box_share"] is None


def without_labels(index, split):
    labels = index.column("studies", "chexpert").copy()
    labels[index.column("studies", "split") == SPLITS.index(split)] = np.nan
    place = index.studies.schema.get_field_index("chexpert")
    column = pa.FixedSizeListArray.from_arrays(pa.array(labels.ravel()), 14)
    index.studies = index.studies.set_column(place, "chexpert", column)
    return index


def test_both_tasks_may_start_on_sound_data(make_index, judge):
    report = judge(make_index())
    assert report.data["task"] == "vqa"
    assert report.data["ready_for"] == {"vqa": True, "classify": True}
    assert report.data["reasons_for"] == {"vqa": [], "classify": []}


def test_without_questions_the_classifier_may_still_start(make_index, judge):
    index = make_index()
    index.questions = index.questions.slice(0, 0)
    index.replace("studies", has_scene_graph=np.zeros(len(index.studies), dtype=bool))
    report = judge(index)
    assert report.data["task"] == "classify"
    assert report.ready
    assert report.data["ready_for"] == {"vqa": False, "classify": True}
    assert report.data["reasons_for"]["vqa"] == ["the index holds no question", "no study has a scene graph"]
    asked = judge(index, task="vqa")
    assert not asked.ready
    assert asked.reasons == report.data["reasons_for"]["vqa"]


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_without_labels_stops_the_classifier_only(make_index, judge, split):
    index = without_labels(make_index(), split)
    report = judge(index)
    assert report.ready
    assert report.data["ready_for"] == {"vqa": True, "classify": False}
    assert remark(report, "no_labelled_studies")["tasks"] == ["classify"]
    asked = judge(index, task="classify")
    assert not asked.ready
    assert asked.reasons == [
        f"no study of the {split} split has a CheXpert label and a film of the view filter frontal_only"
    ]


def test_labelled_studies_count_only_where_a_film_is_in_view(make_index, judge):
    index = make_index()
    in_test = index.column("studies", "split") == SPLITS.index("test")
    report = judge(index.replace("images", view=in_test.astype(int)))
    assert report.data["splits"]["test"]["labelled_studies_in_view"] == 0
    assert report.data["splits"]["train"]["labelled_studies_in_view"] == 36
    assert not report.data["ready_for"]["classify"]


def test_what_concerns_both_tasks_stops_both(make_index, judge):
    index = make_index()
    subject = index.column("studies", "subject_id").copy()
    subject[-1] = subject[0]
    report = judge(index.replace("studies", subject_id=subject))
    assert report.data["ready_for"] == {"vqa": False, "classify": False}


def test_the_other_tasks_verdict_reaches_the_page(make_index, tmp_path):
    analyze(without_labels(make_index(), "test"), tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "ready for training (vqa)" in page
    assert "Not ready for classify: no study of the test split" in page


def test_a_damaged_list_of_rejects_is_an_error(make_index, judge):
    index = make_index()
    path = index.workspace / "index" / "rejects.csv"
    for data in (b"\xff\xfe\x00", b"something,else\n1,2\n"):
        path.write_bytes(data)
        with pytest.raises(ArtifactError, match="list of skipped things"):
            judge(index)


def test_one_sided_answers_and_skewed_types(make_index, judge):
    index = make_index()
    types = index.column("questions", "question_type")
    one_type = QUESTION_TYPE_NAMES.index("D02_has_finding")
    binary = index.column("questions", "binary_target").copy()
    binary[types == one_type] = 0
    report = judge(index.replace("questions", binary_target=binary))
    assert remark(report, "answer_imbalance")["values"] == {"D02_has_finding": 1.0}
    assert report.data["question_types"]["D02_has_finding"]["majority"]["answer"] == "no"
    rating = np.where(types == one_type, 6, 0)
    report = judge(index.replace("questions", rating=rating))
    assert remark(report, "question_type_skew")["values"] == {"D02_has_finding": 1.0}
    assert set(remark(report, "rare_heads")["values"]) == {"category", "region", "severity"}
    assert "unrated_questions" in codes(report, "warning")


def test_rare_labels_and_regions(make_index, judge):
    index = make_index(studies=200, questions=54)
    labels = index.column("studies", "chexpert").copy()
    labels[:, 5] = np.nan
    place = index.studies.schema.get_field_index("chexpert")
    column = pa.FixedSizeListArray.from_arrays(pa.array(labels.ravel()), 14)
    index.studies = index.studies.set_column(place, "chexpert", column)
    bits = np.full(len(index.observations), 1 << REGIONS.index("cardiac silhouette"))
    report = judge(index.replace("observations", node_bits=bits))
    assert remark(report, "few_positives")["message"].startswith("train: ")
    assert remark(report, "few_positives")["values"] == {"Fracture": 0}
    group = remark(report, "region_group_under_represented")
    assert set(group["values"]) == {"pulmonary", "pleural", "mediastinal", "osseous"}


def test_weak_boxes_masked_targets_and_unmapped_names(make_index, judge):
    index = make_index()
    index.replace("region_boxes", is_fallback=np.ones(len(index.region_boxes), dtype=bool))
    index.replace("questions", category_valid=np.zeros(len(index.questions), dtype=bool))
    index.counts.update(unmapped_regions={"stomach": 2, "esophagus": 9}, yes_no_disagreements=3)
    report = judge(index)
    expected = {
        "fallback_boxes",
        "box_coverage",
        "masked_questions",
        "unmapped_regions",
        "yes_no_disagreements",
    }
    assert expected <= codes(report, "warning")
    assert report.ready
    assert list(report.data["unmapped"]["regions"].items()) == [("esophagus", 9), ("stomach", 2)]


def test_reasons_reach_the_page(make_index, tmp_path):
    index = make_index()
    index.questions = index.questions.slice(0, 0)
    index.observations = index.observations.slice(0, 0)
    index.region_boxes = index.region_boxes.slice(0, 0)
    analyze(index, tmp_path / "out", task="vqa")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Not ready: the index holds no question." in page
    assert "ready for training" not in page


def test_a_prepared_workspace_agrees_with_its_own_counts(workspace, judge):
    index = Index.open(workspace)
    data = judge(index).data
    for what in ("patients", "studies", "images", "questions"):
        assert {split: data["splits"][split][what] for split in SPLITS} == {
            split: index.counts[what][split] for split in SPLITS
        }
        assert data["totals"][what] == index.counts[what]["total"]
    types = {name: entry["questions"] for name, entry in data["question_types"].items()}
    assert {name: counts for name, counts in types.items() if counts["total"]} == index.counts[
        "questions_by_type"
    ]
    ratings = {
        name: sum(data["ratings"][split][name] for split in SPLITS) for name in index.counts["ratings"]
    }
    assert ratings == index.counts["ratings"]
    assert data["rejects"]["by_code"] == index.counts["rejects"]
    assert (
        sum(sum(codes.values()) for codes in data["rejects"]["by_kind"].values()) == data["rejects"]["total"]
    )
