"""The report's numbers against an independent count with polars."""

import json

import numpy as np
import polars as pl
import pytest

from cxrkit.analysis import analyze
from cxrkit.vocabulary import (
    FINDINGS,
    GROUP_OF_REGION,
    QUESTION_TYPE_NAMES,
    QUESTION_TYPES,
    REGIONS,
    SPLITS,
    Head,
)

GRADE_A = 4


@pytest.fixture(scope="module")
def measured(tmp_path_factory, draw_index):
    index = draw_index(tmp_path_factory.mktemp("workspace"), studies=80, questions=54, seed=3)
    lateral = np.zeros(80)
    lateral[[1, 5, 70]] = 1
    index.replace("images", view=lateral)
    valid = index.column("questions", "category_valid").copy()
    valid[::7] = False
    index.replace("questions", category_valid=valid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cxrkit.analysis.report.draw_files", lambda *_: None)
        report = analyze(index, tmp_path_factory.mktemp("analysis"))
    return index, report.data


@pytest.fixture(scope="module")
def frame(measured) -> pl.DataFrame:
    """Gives the questions with split, head and whether they take part, counted another way."""
    index, _ = measured
    studies = pl.from_arrow(index.studies.select(["subject_id", "split"])).with_row_index("study_row")
    views = pl.from_arrow(index.images.select(["study_row", "view"]))
    seen = views.group_by("study_row").agg((pl.col("view") == 0).any().alias("in_view"))
    key = pl.col("study_row").cast(pl.Int32)
    heads = pl.Series([str(entry.head) for entry in QUESTION_TYPES])
    questions = (
        pl.from_arrow(index.questions)
        .join(studies.with_columns(key), on="study_row")
        .join(seen, on="study_row")
    )
    questions = questions.with_columns(
        heads.gather(questions["question_type"].cast(pl.UInt32)).alias("head_name")
    )
    usable = (
        pl.when(pl.col("head_name") == "binary").then(pl.col("binary_target") >= 0)
        .when(pl.col("head_name") == "severity").then(pl.col("severity_target") >= 0)
        .when(pl.col("head_name") == "category").then(pl.col("category_valid"))
        .when(pl.col("head_name") == "region").then(pl.col("region_valid"))
        .otherwise(False)
    )  # fmt: skip
    return questions.with_columns((usable & pl.col("in_view") & (pl.col("rating") >= GRADE_A)).alias("kept"))


def test_totals_and_splits(measured, frame):
    _, data = measured
    assert data["totals"]["questions"] == len(frame) == 80 * 54
    assert data["totals"]["questions_kept"] == data["selection"]["kept"] == frame["kept"].sum()
    assert data["totals"]["studies"] == data["totals"]["patients"] == 80
    assert data["totals"]["images_in_view"] == 77
    for place, split in enumerate(SPLITS):
        part = frame.filter(pl.col("split") == place)
        sizes = data["splits"][split]
        assert sizes["questions"] == len(part)
        assert sizes["questions_kept"] == part["kept"].sum()
        assert sizes["studies"] == part["study_row"].n_unique()


def test_filter_steps(measured, frame):
    _, data = measured
    graded = frame.filter(pl.col("rating") >= GRADE_A)
    viewed = graded.filter(pl.col("in_view"))
    free = viewed.filter(pl.col("head_name") == "free_text")
    steps = data["selection"]
    assert steps["after_grade"] == len(graded)
    assert steps["after_grade_and_view"] == len(viewed)
    assert steps["free_text"] == len(free)
    assert steps["masked"] == len(viewed) - len(free) - steps["kept"] > 0


def test_question_types_and_heads(measured, frame):
    _, data = measured
    counted = {
        (QUESTION_TYPE_NAMES[row["question_type"]], SPLITS[row["split"]]): (row["all"], row["kept"])
        for row in frame.group_by("question_type", "split")
        .agg(pl.len().alias("all"), pl.col("kept").sum())
        .to_dicts()
    }
    for name, entry in data["question_types"].items():
        for split in SPLITS:
            assert (entry["questions"][split], entry["kept"][split]) == counted.get((name, split), (0, 0))
    for row in frame.group_by("head_name").agg(pl.len().alias("all"), pl.col("kept").sum()).to_dicts():
        head = data["heads"][row["head_name"]]
        assert head["questions"]["total"] == row["all"]
        assert head.get("kept", {"total": 0})["total"] == row["kept"]
    assert data["ratings"]["train"]["4_A"] == len(
        frame.filter((pl.col("split") == 0) & (pl.col("rating") == 4))
    )


@pytest.mark.parametrize(
    ("name", "column"),
    [("D02_has_finding", "binary_target"), ("D04_how_severe_is_finding", "severity_target"),
     ("D01_describe_finding", "category_target"), ("D03_where_is_finding", "region_target")],
)  # fmt: skip
def test_commonest_answer_is_learned_in_training_and_tested_everywhere(measured, frame, name, column):
    _, data = measured
    part = frame.filter(pl.col("kept") & (pl.col("question_type") == QUESTION_TYPE_NAMES.index(name)))
    counts = part.filter(pl.col("split") == 0)[column].value_counts(sort=True)
    best = counts.filter(pl.col("count") == counts["count"].max())[column].min()
    majority = data["question_types"][name]["majority"]
    for place, split in enumerate(SPLITS):
        right = part.filter(pl.col("split") == place)[column] == best
        assert majority["accuracy"][split] == pytest.approx(right.mean(), abs=1e-6)


def test_polarity(measured, frame):
    _, data = measured
    for place, split in enumerate(SPLITS):
        part = frame.filter(pl.col("split") == place)
        for value, name in ((-1, "unknown"), (0, "negative"), (1, "positive")):
            chosen = part.filter(pl.col("polarity") == value)
            assert data["polarity"][split]["all"][name] == len(chosen)
            assert data["polarity"][split]["kept"][name] == chosen["kept"].sum()


def test_labels_equal_a_plain_count(measured):
    index, data = measured
    labels, split = index.column("studies", "chexpert"), index.column("studies", "split")
    for place, name in enumerate(SPLITS):
        for column, finding in enumerate(FINDINGS):
            values = labels[split == place, column].tolist()
            blank = sum(value != value for value in values)
            expected = {
                "positive": values.count(1),
                "negative": values.count(0),
                "uncertain": values.count(-1),
            }
            assert data["labels"]["chexpert"][name]["findings"][finding] == {**expected, "blank": blank}
    assert data["labels"]["radiologist"]["test"]["studies"] == 0


def test_regions_and_groups(measured, frame):
    index, data = measured
    observed = pl.from_arrow(index.observations)
    positive = observed.filter(pl.col("positiveness") == 1)["node_bits"].to_list()
    region = REGIONS.index("left lung")
    assert data["regions"]["by_region"]["left lung"]["positive_observations"] == sum(
        b >> region & 1 for b in positive
    )
    cardiac = [place for place, group in enumerate(GROUP_OF_REGION) if group == "cardiac"]
    in_group = sum(any(bits >> place & 1 for place in cardiac) for bits in positive)
    assert data["regions"]["by_group"]["cardiac"]["positive_observations"] == in_group
    asked = frame.filter(pl.col("kept") & (pl.col("head_name") == "region") & (pl.col("split") == 0))
    answers = sum(bits >> region & 1 for bits in asked["region_target"])
    assert data["regions"]["by_region"]["left lung"]["answers"]["train"] == answers
    boxes = pl.from_arrow(index.region_boxes).filter((pl.col("node") == region) & ~pl.col("is_fallback"))
    assert data["regions"]["by_region"]["left lung"]["boxes"] == len(boxes)


def test_graph_quality(measured):
    index, data = measured
    boxes = pl.from_arrow(index.region_boxes)
    graphs = data["scene_graphs"]
    assert graphs["graphs"]["observations_per_graph"] == {"mean": 5.0, "median": 5.0, "least": 5, "most": 5}
    assert graphs["graphs"]["observations_per_graph_histogram"] == [0, 0, 0, 0, 0, 80]
    assert graphs["observations"]["child_share"] == 0.4
    assert graphs["boxes"]["fallback_share"] == pytest.approx(boxes["is_fallback"].mean(), abs=1e-6)
    real = boxes.filter(~pl.col("is_fallback") & ~pl.col("image_row").is_in([1, 5, 70]))
    per_film = real.group_by("image_row").agg(pl.col("node").n_unique())["node"]
    assert graphs["coverage"]["frontal_images"] == 77
    assert graphs["coverage"]["regions_per_image"]["mean"] == pytest.approx(per_film.sum() / 77, abs=1e-3)
    assert sum(graphs["coverage"]["regions_per_image_histogram"]) == 77


def test_report_is_plain_json_without_free_text_heads_in_the_majority(measured):
    _, data = measured
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    free = [entry for entry in data["question_types"].values() if entry["head"] == Head.FREE_TEXT]
    assert free
    assert all(entry["majority"] is None and not entry["kept"]["total"] for entry in free)
