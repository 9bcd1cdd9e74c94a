"""A folder of films for the tests of the store; run as a program it writes their store."""

import sys
from pathlib import Path

import numpy as np
from encoded_films import encoded, smooth

from cxrkit.data.films.film_list import FilmFile
from cxrkit.data.films.shape import StoreLayout
from cxrkit.data.films.writer import write_films

SIZES = ((60, 80), (80, 60), (50, 50), (90, 40))
KILLED_FILMS, KILLED_SIZE = 640, (500, 600)


def make_films(folder, count, sizes=SIZES):
    """Films of changing sizes; their ids sort as they stand."""
    folder.mkdir(parents=True, exist_ok=True)
    films = []
    for number in range(count):
        width, height = sizes[number % len(sizes)]
        path = folder / f"film-{number:04d}.jpg"
        path.write_bytes(encoded(np.roll(smooth(width, height, number % 7), number, axis=1)))
        films.append(FilmFile(f"film-{number:04d}", (path, path.with_suffix(".png")), width, height))
    return films


def content(folder):
    """Every file of a store by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def repeated_films(source):
    """Many films that lie in few files: quickly made, long to decode."""
    paths = sorted(source.glob("*.jpg"))
    return [
        FilmFile(f"film-{number:04d}", (paths[number % len(paths)],), *KILLED_SIZE)
        for number in range(KILLED_FILMS)
    ]


if __name__ == "__main__":
    write_films(Path(sys.argv[2]), repeated_films(Path(sys.argv[1])), StoreLayout(64), int(sys.argv[3]))
