"""The verb `verify` as a user meets it: all damage in one list, no traceback, the documented exit codes."""

import hashlib
import shutil
from functools import partial
from itertools import takewhile
from pathlib import Path

import pytest
from PIL import Image

from cxrkit.cli import main

SUMS = "SHA256SUMS.txt"


@pytest.fixture
def verify(call):
    return partial(call, "verify")


@pytest.fixture
def copied(workspace, tmp_path):
    """A copy of the workspace that may be damaged."""
    return Path(shutil.copytree(workspace, tmp_path / "copied"))


@pytest.fixture
def release(synthetic_root, tmp_path):
    """A copy of the films, its list of checksums naming the tables too."""
    root = Path(shutil.copytree(synthetic_root / "mimic-cxr-jpg", tmp_path / "release"))
    write_sums(root)
    return root


def write_sums(root):
    (root / SUMS).unlink(missing_ok=True)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(root).as_posix()}\n"
        for path in files
    ]
    (root / SUMS).write_text("".join(lines))
    return len(lines)


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def film_place(workspace, row):
    """Gives the id of a stored film and the place of one of its bytes."""
    from cxrkit.data.films.store_record import read_store_record

    record = read_store_record(workspace)
    return record.geometry.column("dicom_id")[row].as_py(), int(record.offset[row]) + 500


def lines_of(out, title):
    """Gives the lines listed below a title, and the one after them."""
    lines = out.splitlines()
    below = lines[lines.index(title) + 1 :]
    listed = list(takewhile(lambda line: line.startswith("  "), below))
    return [line.strip() for line in listed], below[len(listed)]


def test_a_whole_workspace(verify, workspace):
    code, out, _ = verify("--workspace", workspace)
    assert code == 0
    assert out == f"whole: every file of {workspace} is as it was written\n"


def test_all_damage_is_one_list(verify, copied, synthetic_root):
    dicom_id, place = film_place(copied, 2)
    flip(copied / "images/shard-00000.bin", place)
    flip(copied / "index/texts.arrow", 700)
    (copied / "index/rejects.csv").unlink()
    code, out, _ = verify("--workspace", copied)
    assert code == 1
    listed, last = lines_of(out, f"3 damaged in {copied}:")
    assert listed == [
        "index/rejects.csv: it is missing",
        "index/texts.arrow: its content is not what was written",
        f"images/shard-00000.bin: film {dicom_id}: its pixels are not those stored",
    ]
    assert last == (
        f"next: run `cxrkit prepare --force --mimic_cxr_path {synthetic_root}/mimic-cxr-jpg "
        f"--mimic_qa_path {synthetic_root}/mimic-ext-cxr-qba --workspace {copied}` "
        "with the settings of before; then look after the disk"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [("manifest.json", "there is no manifest.json"), ("geometry.arrow", "geometry.arrow: ")],
)
@pytest.mark.parametrize("gone", [True, False], ids=["missing", "damaged"])
def test_without_the_store_s_checksums_the_index_is_still_checked(verify, copied, name, told, gone):
    if gone:
        (copied / "images" / name).unlink()
    else:
        flip(copied / "images" / name, 400)
        told = f"{name} is damaged"
    flip(copied / "index/texts.arrow", 700)
    code, out, err = verify("--workspace", copied)
    assert (code, "error" in err) == (1, False)
    listed, _ = lines_of(out, f"2 damaged in {copied}:")
    assert listed[0] == "index/texts.arrow: its content is not what was written"
    assert listed[1].startswith("images: the image store is missing, unfinished or damaged: ")
    assert told in listed[1]
    assert listed[1].endswith("; nothing else in it could be checked")


@pytest.mark.parametrize("gone", [True, False], ids=["missing", "damaged"])
def test_without_the_index_s_checksums_the_films_are_still_checked(verify, copied, gone):
    dicom_id, place = film_place(copied, 0)
    flip(copied / "images/shard-00000.bin", place)
    if gone:
        (copied / "index/fingerprint.json").unlink()
    else:
        (copied / "index/fingerprint.json").write_text("{")
    code, out, _ = verify("--workspace", copied)
    assert code == 1
    listed, last = lines_of(out, f"3 damaged in {copied}:")
    assert listed[0].startswith("index: the ")
    assert "fingerprint.json" in listed[0]
    assert listed[1].startswith("images/manifest.json: it does not fit the index: ")
    assert listed[2] == f"images/shard-00000.bin: film {dicom_id}: its pixels are not those stored"
    assert last.startswith(f"next: run `cxrkit prepare --force --workspace {copied}` with the paths")


@pytest.mark.parametrize("part", ["index", "images"])
def test_a_lost_folder_is_damage(verify, copied, part):
    shutil.rmtree(copied / part)
    code, out, _ = verify("--workspace", copied)
    assert code == 1
    assert f"  {part}: " in out


def test_a_disk_that_gives_up_is_damage(verify, copied, monkeypatch):
    def refuse(*arguments):
        raise OSError(5, "Input/output error", "texts.arrow")

    monkeypatch.setattr("cxrkit.data.index.verify.verify_index", refuse)
    (copied / "images/shard-00000.bin").unlink()
    code, out, _ = verify("--workspace", copied)
    assert code == 1
    listed, _ = lines_of(out, f"2 damaged in {copied}:")
    assert listed == [
        "index: cannot be read: texts.arrow: Input/output error",
        "images/shard-00000.bin: it is missing",
    ]


def test_a_long_list_is_cut(verify, copied):
    for row in range(12):
        flip(copied / "images/shard-00000.bin", film_place(copied, row)[1])
    code, out, _ = verify("--workspace", copied)
    assert code == 1
    listed, _ = lines_of(out, f"12 damaged in {copied}:")
    assert len(listed) == 11
    assert listed[-1] == "and 2 more"


@pytest.mark.parametrize("made", [True, False], ids=["empty", "missing"])
def test_no_workspace_at_all_is_a_mistake(verify, tmp_path, made):
    if made:
        (tmp_path / "nowhere").mkdir()
    code, out, err = verify("--workspace", tmp_path / "nowhere")
    assert (code, out) == (2, "")
    assert err.startswith("error: there is no prepared workspace\n  expected  ")
    for label in ("found", "next"):
        assert f"\n  {label}  " in err


def test_raw_of_the_films_alone(verify, release):
    count = write_sums(release)
    code, out, _ = verify("--raw", "--mimic_cxr_path", release, "--workers", 1)
    assert code == 0
    assert out.splitlines() == [
        f"MIMIC-CXR-JPG: {count} of {count} listed files are there and were read",
        "whole: every listed file of MIMIC-CXR-JPG is as released",
    ]


def test_raw_names_the_changed_film_and_the_lost_table(verify, release):
    film = sorted(release.glob("files/p1*/p*/s*/*.jpg"))[3]
    flip(film, 300)
    (release / "mimic-cxr-2.0.0-split.csv.gz").unlink()
    code, out, _ = verify("--raw", "--mimic_cxr_path", release / "files", "--workers", 1)
    assert code == 1
    assert lines_of(out, "1 file with another content than listed:")[0] == [
        film.relative_to(release).as_posix()
    ]
    assert lines_of(out, "1 file listed and not there:") == (
        ["mimic-cxr-2.0.0-split.csv.gz"],
        "next: download again what is listed here, and prepare the workspace again",
    )
    assert "whole" not in out


def test_raw_without_a_list_of_the_films(verify, release):
    (release / SUMS).unlink()
    code, out, err = verify("--raw", "--mimic_cxr_path", release)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: there is no {SUMS} to check the films against\n  expected  ")
    for label in ("found", "next"):
        assert f"\n  {label}  " in err


def test_raw_of_the_questions_alone(verify, synthetic_root, tmp_path):
    root = Path(shutil.copytree(synthetic_root / "mimic-ext-cxr-qba", tmp_path / "questions"))
    (root / SUMS).unlink(missing_ok=True)
    code, out, _ = verify("--raw", "--mimic_qa_path", root, "--workers", 1)
    assert (code, out) == (0, f"MIMIC-Ext-CXR-QBA: not checked, {root} has no {SUMS}\n")
    count = write_sums(root)
    code, out, _ = verify("--raw", "--mimic_qa_path", root, "--workers", 1)
    assert code == 0
    assert out.splitlines() == [
        f"MIMIC-Ext-CXR-QBA: {count} of {count} listed files are there and were read",
        "whole: every listed file of MIMIC-Ext-CXR-QBA is as released",
    ]
    changed = max(
        (path for path in root.rglob("*") if path.name != SUMS), key=lambda path: path.stat().st_size
    )
    flip(changed, 30)
    code, out, _ = verify("--raw", "--mimic_qa_path", root, "--workers", 1)
    assert code == 1
    assert lines_of(out, "1 file with another content than listed:")[0] == [
        changed.relative_to(root).as_posix()
    ]


def test_raw_takes_the_sources_of_the_workspace(verify, workspace, tmp_path):
    code, out, _ = verify("--raw", "--workspace", workspace, "--workers", 1)
    assert code == 0
    assert "whole: every listed file of MIMIC-CXR-JPG is as released" in out
    assert "MIMIC-Ext-CXR-QBA: " in out
    code, out, err = verify("--raw", "--workspace", tmp_path / "nowhere")
    assert (code, out) == (2, "")
    assert err.startswith("error: no data set was named to check\n  expected  ")
    assert "\n  found     no path, and there is no prepared workspace: " in err
    assert "\n  next      pass --mimic_cxr_path FOLDER, --mimic_qa_path FOLDER or both" in err


@pytest.mark.parametrize("option", ["--mimic_cxr_path", "--mimic_qa_path"])
def test_raw_of_a_folder_that_is_not_there(verify, option, tmp_path):
    code, out, err = verify("--raw", option, tmp_path / "nowhere")
    assert (code, out) == (2, "")
    assert f"{tmp_path / 'nowhere'} is missing" in err
    assert f"  next      pass the folder with {option}" in err


@pytest.fixture
def unstored(release, tmp_path):
    """A workspace without pixels, made from the copied films."""
    from cxrkit.data.prepare import prepare_workspace

    folder = tmp_path / "unstored"
    prepare_workspace(release, None, folder, 64, image_store=False, workers=1)
    return folder


def test_films_that_are_not_stored_are_compared(verify, unstored, release):
    assert verify("--workspace", unstored)[0] == 0
    film = sorted(release.glob("files/p1*/p*/s*/*.jpg"))[1]
    Image.open(film).transpose(Image.Transpose.ROTATE_180).save(film, quality=95)
    code, out, _ = verify("--workspace", unstored)
    assert code == 1
    listed, _ = lines_of(out, f"1 damaged in {unstored}:")
    told = "its pixels are not those that were checked: another file, or another decoder"
    assert listed == [f"{film}: film {film.stem}: {told}"]


def test_a_film_that_a_loading_process_cannot_read(verify, unstored, release, monkeypatch, capsys):
    """The error comes from a process of torch, which hands it on as one text with a traceback."""
    from torch.utils.data import DataLoader

    from cxrkit.data.films.opener import open_films

    films = open_films(unstored)
    film = films.path(0)
    film.write_bytes(film.read_bytes()[:-100])

    def read_all(*arguments, **named):
        for _ in DataLoader(films, num_workers=1, sampler=[0], collate_fn=len):
            pass

    monkeypatch.setattr(type(films), "__getitem__", type(films).read, raising=False)
    monkeypatch.setattr("cxrkit.data.synthetic.write_dataset", read_all)
    with pytest.raises(SystemExit) as ended:
        main(["synth", "out"])
    err = capsys.readouterr().err
    assert ended.value.code == 2
    lines = err.splitlines()
    assert lines[0] == (
        "error: a film that was usable when the workspace was prepared cannot be read any more"
    )
    assert [line.split()[0] for line in lines[1:]] == ["expected", "found", "next"]
    assert lines[1] == f"  expected  {film}, as it was then"
    assert lines[2].startswith("  found     truncated_image")
