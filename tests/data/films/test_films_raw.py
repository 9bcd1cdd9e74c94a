"""Checking a data set against its list of checksums."""

import hashlib
import shutil

import pytest

from cxrkit.data.films.verify_raw import verify_raw
from cxrkit.errors import DataLayoutError

TABLE = "mimic-cxr-2.0.0-split.csv.gz"
FILMS = [f"files/p1{group}/p1{group}00000{n}/s5000000{n}/film-{n}.jpg" for group in (0, 9) for n in range(3)]


@pytest.fixture
def release(tmp_path):
    root = tmp_path / "release"
    for name in (*FILMS, TABLE):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode() * 50)
    write_sums(root)
    return root


def write_sums(root, line="{digest} {name}\n"):
    lines = [
        line.format(digest=hashlib.sha256((root / name).read_bytes()).hexdigest(), name=name)
        for name in (*FILMS, TABLE)
    ]
    (root / "SHA256SUMS.txt").write_bytes("".join(lines).encode())


@pytest.mark.parametrize(
    "line",
    [
        "{digest} {name}\n",
        "{digest}  {name}\n",
        "{digest} *{name}\n",
        "{digest} {name}\r\n",
        "{digest}\t./{name}\n",
    ],
)
def test_a_whole_release(release, line):
    write_sums(release, line)
    progress = []
    report = verify_raw(release, release / "files", lambda *state: progress.append(state))
    assert report.is_whole
    assert report.listed == report.checked == len(FILMS) + 1
    assert progress[-1] == (7, 7)


def test_upper_case_digests(release):
    sums = release / "SHA256SUMS.txt"
    lines = [line.split(" ") for line in sums.read_text().splitlines()]
    sums.write_text("".join(f"{digest.upper()} {name}\n" for digest, name in lines))
    assert verify_raw(release, release / "files").is_whole


def test_every_kind_of_fault_is_counted_and_listed(release):
    data = bytearray((release / FILMS[1]).read_bytes())
    data[17] ^= 1
    (release / FILMS[1]).write_bytes(data)
    (release / TABLE).write_bytes(b"another table")
    (release / FILMS[4]).unlink()
    stranger = release / "files/p10/p10000000/s50000000/stranger.JPG"
    stranger.write_bytes(b"film")
    (release / "files/p10/index.html").write_text("a list of files")
    report = verify_raw(release, release / "files")
    assert not report.is_whole
    assert report.mismatched == tuple(sorted((FILMS[1], TABLE)))
    assert report.missing == (FILMS[4],)
    assert report.unlisted == ("files/p10/p10000000/s50000000/stranger.JPG",)
    assert (report.listed, report.checked, report.unreadable) == (7, 6, ())


def test_the_films_folder_may_be_named(release):
    assert verify_raw(release / "files", release / "files").is_whole


def test_a_root_without_files_folder(release):
    for group in ("p10", "p19"):
        shutil.move(release / "files" / group, release / group)
    report = verify_raw(release, release)
    assert report.is_whole
    (release / FILMS[0].removeprefix("files/")).write_bytes(b"")
    assert verify_raw(release, release).mismatched == (FILMS[0],)


def test_without_a_list_there_is_nothing_to_check(release):
    (release / "SHA256SUMS.txt").unlink()
    with pytest.raises(DataLayoutError, match=r"SHA256SUMS\.txt"):
        verify_raw(release, release / "files")


@pytest.mark.parametrize(
    "content", ["", "\n\n", "abc files/x\n", "0" * 64 + "\n", "0" * 64 + " ../x\n", "0" * 64 + " /x"]
)
def test_a_damaged_list_is_an_error(release, content):
    (release / "SHA256SUMS.txt").write_text(content)
    with pytest.raises(DataLayoutError, match="damaged"):
        verify_raw(release, release / "files")


def test_a_list_cut_off_in_a_line(release):
    sums = release / "SHA256SUMS.txt"
    text = sums.read_text()
    sums.write_text(text[: text.rindex(" ") - 5])
    with pytest.raises(DataLayoutError) as caught:
        verify_raw(release, release / "files")
    assert "line 7" in caught.value.found
