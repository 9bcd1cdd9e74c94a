"""Defects of film files."""

import io
from collections.abc import Callable

from PIL import Image

from cxrkit.data.synthetic.defect_target import (
    SetRoots,
    frontal_film,
    set_film_size,
    test_film,
    train_studies,
)
from cxrkit.data.synthetic.film_files import encode_jpeg_image


def remove_film(roots: SetRoots) -> None:
    """Removes one film's file."""
    frontal_film(roots).path.unlink()


def remove_films_of_study(roots: SetRoots) -> None:
    """Removes all films of one study, not its folder."""
    for film in train_studies(roots)[0]:
        film.path.unlink()


def truncate_film(roots: SetRoots) -> None:
    """Cuts one film's file in half."""
    path = frontal_film(roots).path
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def replace_film_by_text(roots: SetRoots) -> None:
    """Puts text into one film's file."""
    frontal_film(roots).path.write_text("<html>This is not an image.</html>\n")


def shrink_film(roots: SetRoots) -> None:
    """Scales one film to half its width and height, against what Rows and Columns say."""
    path = frontal_film(roots).path
    with Image.open(path) as image:
        small = image.resize((image.width // 2, image.height // 2))
    path.write_bytes(encode_jpeg_image(small))


def copy_film_to_test(roots: SetRoots) -> None:
    """Puts a train film in the place of a film of the test split, byte for byte."""
    _give_to_test(roots, lambda data: data)


def copy_film_anew_to_test(roots: SetRoots) -> None:
    """Puts a train film in the place of a film of the test split: smaller, brighter, compressed anew."""

    def anew(data: bytes) -> bytes:
        with Image.open(io.BytesIO(data)) as image:
            smaller = image.resize(
                (round(image.width * 0.9), round(image.height * 0.9)), Image.Resampling.BOX
            )
            brighter = smaller.point([min(round(level * 0.95 + 8), 255) for level in range(256)])
        stream = io.BytesIO()
        brighter.save(stream, "JPEG", quality=70)
        return stream.getvalue()

    _give_to_test(roots, anew)


def _give_to_test(roots: SetRoots, change: Callable[[bytes], bytes]) -> None:
    source, target = frontal_film(roots), test_film(roots)
    data = change(source.path.read_bytes())
    target.path.write_bytes(data)
    with Image.open(io.BytesIO(data)) as image:
        set_film_size(roots, target.row, image.width, image.height)
