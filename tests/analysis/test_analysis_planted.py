"""`cxrkit analyze` finds what was planted into a synthetic set, and nothing of it in the sound set."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from cxrkit.cli import main
from cxrkit.data.synthetic import write_dataset
from cxrkit.data.synthetic.defects import plant_defect

# Codes by the defect that raises them; a film of another patient is there twice as well as across splits.
RAISED = {
    "duplicate_film_across_splits": {
        "identical_films_across_splits",
        "identical_films_of_different_patients",
    },
    "near_duplicate_film_across_splits": {
        "near_identical_films_across_splits",
        "near_identical_films_of_different_patients",
    },
    "question_tells_answer": {"question_gives_answer_away"},
    "labels_contradict_questions": {"label_conflicts"},
}
PARTS = ("mimic-cxr-jpg", "mimic-ext-cxr-qba")


class Run(NamedTuple):
    """One call of `cxrkit analyze`."""

    code: int
    output: str
    error: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.folder / "analysis_report.json").read_text("utf-8"))

    @property
    def codes(self) -> set[str]:
        return {remark["code"] for remark in self.report["remarks"]}


@pytest.fixture(scope="module")
def sound_set(tmp_path_factory) -> Path:
    # As small as the limits allow: 20 compared studies, and films whose copy survives being made smaller.
    root = tmp_path_factory.mktemp("sound") / "set"
    write_dataset(root, patients=36, seed=3, image_size=192)
    return root


@pytest.fixture
def analyze(capsys, monkeypatch) -> Callable[..., Run]:
    def call(root: Path, *more: str, draw: bool = False) -> Run:
        if not draw:
            monkeypatch.setattr("cxrkit.analysis.report.draw_files", lambda *_: None)
        places = [("--mimic_cxr_path", PARTS[0]), ("--mimic_qa_path", PARTS[1]), ("--workspace", "w")]
        words = ["analyze", "--output_dir", str(root / "analysis"), *more]
        for option, name in places:
            words += [option, str(root / name)]
        for setting in ("image_store_size=160", "image_size=160", "quality_grade=B"):
            words += ["--set", f"data.{setting}"]
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(words)
        printed = capsys.readouterr()
        return Run(int(ended.value.code or 0), printed.out, printed.err, root / "analysis")

    return call


@pytest.fixture
def with_defect(sound_set, tmp_path) -> Callable[[str], Path]:
    def plant(name: str) -> Path:
        for part in PARTS:
            shutil.copytree(sound_set / part, tmp_path / part)
        plant_defect(name, *(tmp_path / part for part in PARTS))
        return tmp_path

    return plant


def test_the_sound_set_raises_none_of_them(sound_set, tmp_path, analyze):
    root = tmp_path / "set"
    shutil.copytree(sound_set, root)
    run = analyze(root, "--visualize_samples", "3", draw=True)
    assert run.code == 0, run.error
    assert run.codes.isdisjoint(set().union(*RAISED.values()) | {"blank_films"})
    films = run.report["films"]
    assert films["leakage"]["films"] == run.report["totals"]["images"] > 100
    assert films["leakage"]["identical"]["pairs"] == films["leakage"]["near_identical"]["pairs"] == 0
    assert run.report["label_conflicts"]["conflicts"] == 0
    _check_samples(run)


def _check_samples(run: Run) -> None:
    samples = run.report["samples"]
    names = [sample["file"] for sample in samples]
    assert names == [f"samples/sample_{place:03d}.png" for place in (1, 2, 3)]
    for sample in samples:
        with Image.open(run.folder / sample["file"]) as image:
            image.load()
            assert min(image.size) > 500
        assert 0 < sample["boxes"] <= 8
        assert 0 < sample["questions"] <= 6
    assert f"samples: {run.folder / 'samples'} (3 films)" in run.output
    # The pictures show patients: the page names them and holds none of them.
    page = (run.folder / "report.html").read_text("utf-8")
    assert all(name in page for name in names)
    assert page.count("data:image/png") == page.count("<img")
    assert not any(f'src="{name}"' in page for name in names)


@pytest.mark.parametrize("name", RAISED)
def test_what_was_planted_is_found_and_nothing_else(with_defect, analyze, name):
    run = analyze(with_defect(name))
    # A warning stops nothing.
    assert run.code == 0, run.error
    every = set().union(*RAISED.values())
    assert run.codes & every == RAISED[name]
    for remark in run.report["remarks"]:
        if remark["code"] in every:
            assert f"warning: {remark['message']}" in run.output


def test_the_pair_of_films_is_named(with_defect, analyze):
    root = with_defect("duplicate_film_across_splits")
    found = analyze(root).report["films"]["leakage"]["identical"]
    assert (found["pairs"], found["pairs_across_splits"]) == (1, 1)
    (example,) = found["examples_across_splits"]
    assert set(example["splits"]) == {"train", "test"}
    first, second = (
        next((root / PARTS[0]).rglob(f"{dicom_id}.jpg")).read_bytes() for dicom_id in example["dicom_ids"]
    )
    assert first == second


def test_the_finding_whose_labels_were_turned_is_named(with_defect, analyze):
    report = analyze(with_defect("labels_contradict_questions"), "--skip_images").report
    (remark,) = [remark for remark in report["remarks"] if remark["code"] == "label_conflicts"]
    assert remark["values"] == {"Pleural Effusion": 1.0}
    effusion = report["label_conflicts"]["by_finding"]["Pleural Effusion"]
    assert effusion["present_but_label_0"] + effusion["absent_but_label_1"] == effusion["compared"]


def test_the_question_type_that_tells_its_answer_is_named(with_defect, analyze):
    report = analyze(with_defect("question_tells_answer"), "--skip_images").report
    (remark,) = [remark for remark in report["remarks"] if remark["code"] == "question_gives_answer_away"]
    assert set(remark["values"]) == {"D02_has_finding"}
    assert report["question_leakage"]["D02_has_finding"]["accuracy"] == 1.0


def test_a_patient_in_two_splits_is_refused_before_the_analysis(with_defect, analyze):
    run = analyze(with_defect("patient_in_two_splits"))
    assert run.code == 2
    assert "1 patient is in more than one split" in run.error
    assert not run.folder.exists()
