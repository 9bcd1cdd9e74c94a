"""Measures how fast films are decoded into the image store, against decoding them for every sample.

Usage: python benchmarks/image_store.py [--films N] [--workers N] [--padding square|none] [--json]

The films are 2544 x 3056 grey JPEGs of quality 95, drawn once and enlarged, with so much grain that they have
1.5 MB, as those of MIMIC-CXR-JPG have on average (570.3 GB in 377,110 files).
The baseline is what the earlier systems did for every sample: decode the whole film to RGB, resize it to 224.
Both use the same number of processes, are measured as a whole (start of the processes and writing included)
and take turns; the ratio is that of the medians.
"""

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import peak_memory, show
from PIL import Image

from cxrkit.data.films.film_list import FilmFile
from cxrkit.data.films.shape import StoreLayout
from cxrkit.data.films.writer import write_films
from cxrkit.data.worker_pool import run_units

WIDTH, HEIGHT = 2544, 3056
DRAWN = 12
FILMS_PER_UNIT = 8


def make_films(folder: Path, count: int) -> list[FilmFile]:
    """Draws some films; every file is read many times, as a film with an id of its own."""
    paths = [folder / f"film-{seed:02d}.jpg" for seed in range(min(DRAWN, count))]
    for seed, path in enumerate(paths):
        path.write_bytes(_picture(seed))
    return [
        FilmFile(f"film-{number:05d}", (paths[number % len(paths)],), WIDTH, HEIGHT)
        for number in range(count)
    ]


def _picture(seed: int) -> bytes:
    # Not above: every process that is started imports what this file does.
    from cxrkit.data.synthetic.anatomy import sample_body
    from cxrkit.data.synthetic.films import draw_frontal

    rng = np.random.default_rng(seed)
    drawn = draw_frontal(rng, sample_body(rng), [], 512, 512, "PA")
    large = Image.fromarray(drawn.pixels).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    grain = rng.standard_normal((HEIGHT, WIDTH), dtype=np.float32) * 1.6
    stream = io.BytesIO()
    Image.fromarray((np.asarray(large) + grain).clip(0, 255).astype(np.uint8)).save(
        stream, "JPEG", quality=95
    )
    return stream.getvalue()


def no_state() -> None:
    pass


def decode_as_before(_: None, paths: list[Path]) -> int:
    total = 0
    for path in paths:
        with Image.open(path) as film:
            pixels = film.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        total += int(np.asarray(pixels, dtype=np.uint8)[0, 0, 0])
    return total


def run_baseline(films: list[FilmFile], workers: int) -> None:
    paths = [film.paths[0] for film in films]
    units = [paths[first : first + FILMS_PER_UNIT] for first in range(0, len(paths), FILMS_PER_UNIT)]
    for _ in run_units(no_state, (), decode_as_before, units, workers):
        pass


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(count: int, workers: int, layout: StoreLayout, repeats: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        films = make_films(folder, count)
        # Watching the memory takes time itself: a run of its own, which also fills the disk cache.
        with peak_memory() as peak:
            write_films(folder / "watched", films, layout, workers)
        ours, theirs = [], []
        for number in range(repeats):
            stored = folder / f"images-{number}"
            ours.append(seconds(lambda stored=stored: write_films(stored, films, layout, workers)))
            theirs.append(seconds(lambda: run_baseline(films, workers)))
        megabytes = films[0].paths[0].stat().st_size / 1e6
    rate, baseline = count / statistics.median(ours), count / statistics.median(theirs)
    return {
        "films_per_s": round(rate, 2),
        "ratio": round(rate / baseline, 2),
        "baseline_films_per_s": round(baseline, 2),
        "peak_mb": round(peak.megabytes, 1),
        "films": count,
        "workers": workers,
        "size": layout.size,
        "padding": layout.padding,
        "film_mb": round(megabytes, 2),
        "mimic_hours": round(377_110 / rate / 3600, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--films", type=int, default=600, help="films in each run")
    parser.add_argument("--workers", type=int, default=2, help="processes, of both")
    parser.add_argument("--size", type=int, default=320, help="image_store_size")
    parser.add_argument("--padding", choices=("square", "none"), default="square", help="image_store_padding")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    layout = StoreLayout(options.size, options.padding)
    show(measure(options.films, options.workers, layout, options.repeats), options.json)


if __name__ == "__main__":
    main()
