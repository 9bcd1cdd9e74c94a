"""Defects of film files."""

from PIL import Image

from cxrkit.data.synthetic.defect_target import SetRoots, frontal_film, train_studies
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
