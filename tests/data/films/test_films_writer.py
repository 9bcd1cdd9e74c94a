"""The store: same bytes whatever the workers and interruptions, nothing decoded twice, nothing lost."""

import os
import random
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from film_folder import KILLED_SIZE, content, make_films, repeated_films

from cxrkit.data.films import decode_unit
from cxrkit.data.films.decode import decode_film
from cxrkit.data.films.estimate import sample_speed
from cxrkit.data.films.film_list import FilmFile, FilmList
from cxrkit.data.films.plan import plan_store, store_bytes
from cxrkit.data.films.shape import StoreLayout, fit_film
from cxrkit.data.films.writer import write_films

LAYOUT = StoreLayout(32)
JOURNAL = ".films.journal"


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return make_films(tmp_path_factory.mktemp("films"), 110)


@pytest.fixture
def small_shards(monkeypatch):
    for module in ("plan", "writer", "manifest"):
        monkeypatch.setattr(f"cxrkit.data.films.{module}.FILMS_PER_SHARD", 64)


def geometry(folder):
    return pa.ipc.open_file(pa.memory_map(str(folder / "geometry.arrow"))).read_all().to_pylist()


@pytest.mark.parametrize("padding", ["square", "none"])
def test_every_film_lies_where_the_geometry_says(tmp_path, films, small_shards, padding):
    layout = StoreLayout(32, padding)
    results = write_films(tmp_path / "images", films, layout, 1)
    assert not any(result.code for result in results)
    assert [result.path for result in results] == [film.paths[0] for film in films]
    rows = geometry(tmp_path / "images")
    assert [row["dicom_id"] for row in rows] == [film.dicom_id for film in films]
    assert {row["shard"] for row in rows} == {0, 1}
    for film, row in zip(films, rows, strict=True):
        shard = (tmp_path / "images" / f"shard-{row['shard']:05d}.bin").read_bytes()
        pixels = shard[row["offset"] : row["offset"] + row["height"] * row["width"]]
        assert pixels == decode_film(film.paths[0], film.width, film.height, layout).tobytes()
        shape = fit_film(film.width, film.height, layout)
        assert (row["side"], row["pad_x"], row["pad_y"]) == (shape.side, shape.pad_x, shape.pad_y)
        assert row["scale"] == np.float32(shape.scale)
    sizes = sum(path.stat().st_size for path in (tmp_path / "images").glob("shard-*.bin"))
    assert store_bytes(films, layout) == sizes


def test_the_bytes_do_not_depend_on_the_workers(tmp_path, films):
    progress = []
    write_films(tmp_path / "one", films, LAYOUT, 1, lambda *state: progress.append(state))
    write_films(tmp_path / "two", films, LAYOUT, 2)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert sorted(content(tmp_path / "one")) == ["geometry.arrow", "manifest.json", "shard-00000.bin"]
    assert progress == [(32, 110), (64, 110), (96, 110), (110, 110)]


def test_a_rejected_film_leaves_zeros_and_no_row(tmp_path, films):
    broken = list(films)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(films[40].paths[0].read_bytes()[:-200])
    broken[40] = films[40]._replace(paths=(cut,))
    broken[70] = films[70]._replace(paths=(tmp_path / "none.jpg", tmp_path / "none.png"))
    broken[109] = films[109]._replace(width=61)
    results = write_films(tmp_path / "images", broken, LAYOUT, 1)
    codes = {row: result.code for row, result in enumerate(results) if result.code}
    assert codes == {40: "truncated_image", 70: "missing_image", 109: "size_mismatch"}
    assert results[70].path == tmp_path / "none.jpg"
    rows = geometry(tmp_path / "images")
    assert [row["planned_row"] for row in rows] == [row for row in range(110) if row not in codes]
    pixels = np.fromfile(tmp_path / "images" / "shard-00000.bin", np.uint8)[4096:].reshape(110, 32, 32)
    assert [row for row in range(110) if not pixels[row].any()] == [40, 70, 109]


def interrupted(folder, films, layout, units):
    """Runs until some units are recorded, then stops at once, as Ctrl-C does."""

    def stop(done, total):
        if done >= 32 * units:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_films(folder, films, layout, 1, stop)


@pytest.fixture
def decoded(monkeypatch):
    """The films that are decoded in this process."""
    seen = []

    def decode(path, *rest):
        seen.append(path.stem)
        return decode_film(path, *rest)

    monkeypatch.setattr(decode_unit, "decode_film", decode)
    return seen


def test_finished_units_are_not_decoded_again(tmp_path, films, decoded):
    interrupted(tmp_path / "images", films, LAYOUT, 2)
    assert len(decoded) == 64
    assert not (tmp_path / "images" / "manifest.json").exists()
    decoded.clear()
    results = write_films(tmp_path / "images", films, LAYOUT, 1)
    assert decoded == [film.dicom_id for film in films[64:]]
    assert len(results) == 110
    write_films(tmp_path / "whole", films, LAYOUT, 1)
    assert content(tmp_path / "images") == content(tmp_path / "whole")


def test_a_finished_store_is_found(tmp_path, films, decoded):
    first = list(write_films(tmp_path / "images", films, LAYOUT, 1))
    before = content(tmp_path / "images")
    decoded.clear()
    assert list(write_films(tmp_path / "images", films, LAYOUT, 1)) == first
    assert decoded == []
    assert content(tmp_path / "images") == before


@pytest.mark.parametrize("finished", [True, False])
def test_a_mended_download_is_noticed(tmp_path, films, decoded, finished):
    late = tmp_path / "late.jpg"
    waiting = list(films)
    waiting[5] = films[5]._replace(paths=(late,))
    if finished:
        assert write_films(tmp_path / "images", waiting, LAYOUT, 1)[5].code == "missing_image"
    else:
        interrupted(tmp_path / "images", waiting, LAYOUT, 2)
    late.write_bytes(films[5].paths[0].read_bytes())
    decoded.clear()
    results = write_films(tmp_path / "images", waiting, LAYOUT, 1)
    assert not any(result.code for result in results)
    again = [film.dicom_id for film in (films[:32] if finished else films[:32] + films[64:])]
    assert [name if name != "late" else films[5].dicom_id for name in decoded] == again
    write_films(tmp_path / "whole", waiting, LAYOUT, 1)
    assert content(tmp_path / "images") == content(tmp_path / "whole")


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_torn_last_line_is_cut_off(tmp_path, films, decoded, cut):
    interrupted(tmp_path / "images", films, LAYOUT, 2)
    journal = tmp_path / "images" / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-cut])
    decoded.clear()
    write_films(tmp_path / "images", films, LAYOUT, 1)
    assert len(decoded) == 110 - 32
    write_films(tmp_path / "whole", films, LAYOUT, 1)
    assert content(tmp_path / "images") == content(tmp_path / "whole")


def test_a_flipped_bit_in_the_journal_ends_it(tmp_path, films, decoded):
    interrupted(tmp_path / "images", films, LAYOUT, 3)
    journal = tmp_path / "images" / JOURNAL
    data = bytearray(journal.read_bytes())
    data[data.index(b"\n") + 30] ^= 4
    journal.write_bytes(data)
    decoded.clear()
    write_films(tmp_path / "images", films, LAYOUT, 1)
    assert len(decoded) == 110


@pytest.mark.parametrize("change", ["layout", "size", "films", "order", "paths"])
def test_another_plan_starts_afresh(tmp_path, films, decoded, change):
    interrupted(tmp_path / "images", films, LAYOUT, 2)
    (tmp_path / "images" / "shard-00007.bin").write_bytes(b"of another plan")
    layout = {"layout": StoreLayout(32, "none"), "size": StoreLayout(40)}.get(change, LAYOUT)
    others = {
        "films": films[:-1],
        "order": [films[1], films[0], *films[2:]],
        "paths": [film._replace(paths=(Path(f"{film.paths[0].parent}/./x"), *film.paths)) for film in films],
    }.get(change, films)
    decoded.clear()
    write_films(tmp_path / "images", others, layout, 1)
    assert len(decoded) == len(others)
    write_films(tmp_path / "whole", others, layout, 1)
    assert content(tmp_path / "images") == content(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["lost", "shortened", "header"])
def test_a_damaged_shard_is_written_again(tmp_path, films, small_shards, decoded, damage):
    write_films(tmp_path / "images", films, LAYOUT, 1)
    whole = content(tmp_path / "images")
    shard = tmp_path / "images" / "shard-00001.bin"
    if damage == "lost":
        shard.unlink()
    else:
        data = bytearray(shard.read_bytes())
        data[50] ^= 1
        shard.write_bytes(data if damage == "header" else data[:-1])
    decoded.clear()
    write_films(tmp_path / "images", films, LAYOUT, 1)
    assert decoded == [film.dicom_id for film in films[64:]]
    assert content(tmp_path / "images") == whole


def test_nothing_is_kept_when_nothing_is_to_be_stored(tmp_path, films):
    broken = [*films[:-1], films[-1]._replace(paths=(tmp_path / "none.jpg",))]
    results = write_films(tmp_path / "images", broken, StoreLayout(32, "square", stored=False), 1)
    assert [result.code for result in results] == [""] * 109 + ["missing_image"]
    assert sorted(content(tmp_path / "images")) == ["geometry.arrow", "manifest.json"]
    assert store_bytes(broken, StoreLayout(32, "square", stored=False)) == 0


def journal_lines(folder):
    journal = folder / JOURNAL
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def kill_once(source, folder, workers, wait_units, pause_s):
    """Starts the writer and kills it some units later; gives whether it was still running."""
    before = max(1, journal_lines(folder))
    program = Path(__file__).with_name("film_folder.py")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, str(program), str(source), str(folder), str(workers)], env=environment
    )
    deadline = time.monotonic() + 60
    while process.poll() is None and journal_lines(folder) < before + wait_units:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(pause_s)
    killed = process.poll() is None
    process.kill()
    process.wait()
    return killed


def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path):
    source = tmp_path / "source"
    make_films(source, 4, (KILLED_SIZE,))
    chance = random.Random(4)
    kills = [
        kill_once(source, tmp_path / "killed", 1 + number % 2, chance.randrange(2), chance.random() * 0.03)
        for number in range(6)
    ]
    assert kills.count(True) >= 5
    films = repeated_films(source)
    write_films(tmp_path / "killed", films, StoreLayout(64), 1)
    write_films(tmp_path / "whole", films, StoreLayout(64), 1)
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


@pytest.mark.parametrize("padding", ["square", "none"])
def test_the_whole_of_mimic_is_planned_quickly_in_little_memory(padding):
    count = 377_110
    ids = [f"film-{number}" for number in range(count)]
    films = FilmList(Path("root"), ids, ids, np.full(count, 2544), np.full(count, 3056), (".jpg", ".png"))
    start = time.perf_counter()
    tracemalloc.start()
    plan = plan_store(films, StoreLayout(320, padding))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.perf_counter() - start < 2
    assert kept < 100 * count
    assert peak < 400 * count
    width = 320
    height = 320 if padding == "square" else 384
    assert plan.offset[-1] == (count - 1) % 1024 * width * height
    assert len(plan.shards()) == 369


def test_a_film_list_is_like_a_list_of_films(tmp_path):
    films = FilmList(tmp_path, ["p10/a", "p11/b"], ["a", "b"], [3, 4], [5, 6], (".jpg", ".png"))
    assert list(films) == [
        FilmFile("a", (tmp_path / "p10/a.jpg", tmp_path / "p10/a.png"), 3, 5),
        FilmFile("b", (tmp_path / "p11/b.jpg", tmp_path / "p11/b.png"), 4, 6),
    ]
    assert films[1:] == [films[1]]
    with pytest.raises(IndexError):
        films[2]


def test_the_speed_of_a_sample(films):
    seconds, size = sample_speed(films, LAYOUT, 5)
    assert 0 < seconds < 1
    assert 1024 <= size < 1024 + 4096
    assert sample_speed([], LAYOUT) == (0, 0)
