"""The options of `cxrkit analyze` and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def analyze(call, monkeypatch, workspace):
    """Analyzes the prepared workspace in an empty folder; gives exit code, output and error."""
    monkeypatch.setattr("cxrkit.analysis.report.draw_files", lambda *_: None)

    def analyze(*words: object, workspace: Path | str = workspace) -> tuple[int, str, str]:
        sizes = ["--set", "data.image_size=64", "--set", "data.image_store_size=96"]
        return call("analyze", "--workspace", workspace, *sizes, *words)

    return analyze


def report(folder: Path) -> dict:
    return json.loads((folder / "analysis_output" / "analysis_report.json").read_text("utf-8"))


def test_films_are_read_unless_skipped_and_the_rest_stays_the_same(analyze, tmp_path):
    assert analyze()[0] == 0
    read = report(tmp_path)
    assert analyze("--skip_images")[0] == 0
    skipped = report(tmp_path)
    films = read.pop("films"), skipped.pop("films")
    assert films[0]["leakage"]["films"] == read["totals"]["images"] > 0
    assert films[0]["exposure"]["mean_grey"]["median"] > 0
    assert films[1] == {"sizes": films[0]["sizes"], "exposure": None, "leakage": None}
    assert skipped == read


def test_samples_are_pictures_that_a_later_analysis_replaces(analyze, tmp_path):
    folder = tmp_path / "analysis_output" / "samples"
    code, out, _ = analyze("--visualize_samples", 3)
    assert (code, "(3 films)" in out) == (0, True)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(first) == ["sample_001.png", "sample_002.png", "sample_003.png"]
    for path in folder.iterdir():
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG"
    # The same films each time.
    analyze("--visualize_samples", 3)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    analyze("--visualize_samples", 1)
    assert [path.name for path in folder.iterdir()] == ["sample_001.png"]
    assert [sample["file"] for sample in report(tmp_path)["samples"]] == ["samples/sample_001.png"]
    # No picture of a patient stays behind a report that does not name it.
    analyze()
    assert not list(folder.iterdir())


def test_samples_without_films_are_refused_before_anything_is_prepared(analyze, tmp_path):
    code, _, err = analyze("--skip_images", "--visualize_samples", 2, workspace="nowhere")
    assert code == 2
    assert "--visualize_samples: needs films, which --skip_images skips" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [-1, 1001, "many"])
def test_a_number_of_samples_that_cannot_be_is_refused(analyze, number):
    code, _, err = analyze("--visualize_samples", number)
    assert code == 2
    assert "--visualize_samples" in err


def test_a_file_in_the_place_of_the_folder_is_refused_before_the_films_are_read(
    analyze, tmp_path, monkeypatch
):
    monkeypatch.setattr("cxrkit.analysis.report.scan_films", lambda *_: pytest.fail("films were read"))
    (tmp_path / "taken").write_text("mine")
    code, _, err = analyze("--output_dir", "taken")
    assert code == 2
    assert "taken" in err
    assert (tmp_path / "taken").read_text() == "mine"


def test_damaged_films_are_told_with_what_to_do(analyze, workspace, tmp_path):
    shutil.copytree(workspace, tmp_path / "w")
    shards = [path for path in (tmp_path / "w").rglob("*") if path.is_file() and "index" not in path.parts]
    largest = max(shards, key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:100])
    code, _, err = analyze(workspace=tmp_path / "w")
    assert code == 2
    assert largest.name in err
    assert "cxrkit" in err
