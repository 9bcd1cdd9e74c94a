"""Comparing runs: the same questions or none, paired differences, tests, files, and plain words."""

import csv
import doctest
import json
import re

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from cxrkit.cli import main
from cxrkit.evaluation.comparison import compare_predictions, tables
from cxrkit.evaluation.predictions import write_predictions
from cxrkit.inference.schema import with_metadata


def call(*words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


def worse(table, share, seed=1):
    """The same table with some binary answers of the model turned round."""
    generator = np.random.default_rng(seed)
    rows = table.to_pylist()
    for row in rows:
        if row["head"] == "binary" and row["condition"] == "model" and generator.random() < share:
            row["classes_predicted"] = [1 - row["classes_predicted"][0]]
            row["probabilities"] = row["probabilities"][::-1]
    return pa.Table.from_pylist(rows, table.schema)


@pytest.fixture
def folders(tmp_path, make_vqa_table):
    table = make_vqa_table(patients=40)
    found = []
    for name, content in (("base", table), ("same", table), ("bad_1", worse(table, 0.6))):
        write_predictions(content, tmp_path / name / "predictions.parquet")
        found.append(tmp_path / name)
    return found


@pytest.fixture
def report(folders, tmp_path):
    assert call("compare", *folders, "--output_dir", tmp_path / "out") == 0
    return json.loads((tmp_path / "out/comparison.json").read_text())


def entry_of(report, other, metric, head="binary"):
    return next(
        entry
        for entry in report["differences"]
        if (entry["other"], entry["metric"], entry["head"]) == (other, metric, head)
    )


def answers(folder):
    import pyarrow.parquet as pq

    rows = pq.read_table(folder / "predictions.parquet").to_pylist()
    rows = [row for row in rows if row["condition"] == "model" and row["head"] == "binary"]
    truth = [row["classes_reference"][0] for row in rows]
    guess = [row["classes_predicted"][0] for row in rows]
    return np.array(truth), np.array(guess), np.array([row["subject_id"] for row in rows])


def test_figures_and_tests_equal_independent_ones(folders, report):
    truth, first, patients = answers(folders[0])
    _, other, _ = answers(folders[2])
    found = entry_of(report, "bad_1", "accuracy")
    assert found["value_first"] == pytest.approx(accuracy_score(truth, first), abs=1e-9)
    assert found["difference"] == pytest.approx(
        accuracy_score(truth, other) - accuracy_score(truth, first), abs=1e-9
    )
    right = (other == truth, first == truth)
    table = [
        [(right[0] & right[1]).sum(), (right[0] & ~right[1]).sum()],
        [(~right[0] & right[1]).sum(), (~right[0] & ~right[1]).sum()],
    ]
    differing = table[0][1] + table[1][0]
    expected = mcnemar(table, exact=bool(differing < 25), correction=True)
    assert found["tests"]["mcnemar"]["p_value"] == pytest.approx(expected.pvalue, abs=1e-9)
    means = [np.array([side[patients == one].mean() for one in np.unique(patients)]) for side in right]
    expected = stats.ttest_rel(*means)
    assert found["tests"]["paired_t"]["p_value"] == pytest.approx(expected.pvalue, abs=1e-9)
    assert found["cohens_d"] == pytest.approx(expected.statistic / np.sqrt(len(means[0])), abs=1e-9)


def test_p_values_are_adjusted_over_all_differences(report):
    p_values = np.array([entry["p_bootstrap"] for entry in report["differences"]], float)
    tested = ~np.isnan(p_values)
    for name, method in (("p_holm", "holm"), ("p_bonferroni", "bonferroni")):
        found = np.array([entry[name] for entry in report["differences"]], float)
        np.testing.assert_allclose(
            found[tested], multipletests(p_values[tested], method=method)[1], atol=1e-9
        )
    assert {entry["other"] for entry in report["differences"]} == {"same", "bad_1"}


def test_it_says_in_words_who_is_better_and_what_cannot_be_told_apart(report):
    assert "base and same are not distinguishable" in entry_of(report, "same", "accuracy")["in_words"]
    assert entry_of(report, "same", "accuracy")["p_bootstrap"] == 1.0
    assert entry_of(report, "bad_1", "accuracy")["in_words"].startswith("bad_1 is worse than base by -0.")
    assert "not distinguishable" in entry_of(report, "bad_1", "micro_f1_over_sets", "region")["in_words"]


def test_the_files_are_whole(report, tmp_path, folders):
    page = (tmp_path / "out/comparison.html").read_text()
    assert "bad_1 is worse than base" in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    lines = list(csv.DictReader((tmp_path / "out/comparison.csv").open()))
    assert len(lines) == len(report["figures"])
    assert all(float(line["value"]) for line in lines if line["value"] and float(line["value"]))
    latex = (tmp_path / "out/comparison.tex").read_text()
    assert r"bad\_1" in latex
    assert r"95 \%" in latex
    body = latex[latex.index(r"\midrule") : latex.index(r"\bottomrule")].splitlines()[1:]
    assert {line.count(" & ") for line in body if line} == {5}
    assert doctest.testmod(tables).failed == 0
    again = compare_predictions(folders, None, tmp_path / "again")
    assert [path.read_bytes() for path in again.paths] == [
        (tmp_path / "out" / path.name).read_bytes() for path in again.paths
    ]


def test_two_classifiers(classify_table, tmp_path):
    rows = classify_table.to_pylist()
    generator = np.random.default_rng(0)
    for row in rows:
        row["probabilities"] = generator.random(14).tolist()
    turned = pa.Table.from_pylist(rows, classify_table.schema)
    for name, table in (("good", classify_table), ("turned", turned)):
        write_predictions(table, tmp_path / name / "predictions.parquet")
    result = compare_predictions([tmp_path / "good", tmp_path / "turned"], None, tmp_path / "out")
    report = json.loads(result.paths[0].read_text())
    found = entry_of(report, "turned", "mean_auroc_of_defined_findings", "classifier")
    assert found["in_words"].startswith("turned is worse than good")
    loss = entry_of(report, "turned", "log_loss", "classifier")
    assert loss["difference"] > 0
    assert loss["in_words"].startswith("turned is worse than good"), "a larger loss is no gain"
    single = [entry for entry in report["differences"] if entry["finding"] == "Atelectasis"]
    assert single[0]["tests"]["delong"]["p_value"] < 0.001
    fracture = next(entry for entry in report["differences"] if entry["finding"] == "Fracture")
    assert "undefined" in fracture["in_words"]
    assert fracture["p_holm"] is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("rows", "answer different rows"),
        ("split", "of different splits"),
        ("data", "of different data"),
        ("task", "of different tasks"),
        ("references", "have different references"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    folders, make_vqa_table, classify_table, tmp_path, change, told, capsys
):
    table = make_vqa_table(patients=40)
    metadata = json.loads(table.schema.metadata[b"cxrkit"])
    if change == "rows":
        table = make_vqa_table(patients=41)
    elif change == "task":
        table = classify_table
    elif change == "references":
        rows = table.to_pylist()
        for row in rows:
            if row["question_row"] == 0:
                row["classes_reference"] = [1 - row["classes_reference"][0]]
        table = pa.Table.from_pylist(rows, table.schema)
    else:
        key = {"split": "split", "data": "index_fingerprint"}[change]
        table = with_metadata(table, metadata | {key: "other"})
    write_predictions(table, tmp_path / "other/predictions.parquet")
    assert call("compare", folders[0], tmp_path / "other") == 2
    assert told in capsys.readouterr().err


def test_names_tell_runs_apart(folders, tmp_path, capsys):
    assert call("compare", folders[0], folders[0]) == 2
    assert "--names" in capsys.readouterr().err
    assert call("compare", folders[0], folders[0], "--names", "a,b") == 0
    assert "a and b are not distinguishable" in capsys.readouterr().out
    assert call("compare", folders[0]) == 2
    assert "two or more" in capsys.readouterr().err
