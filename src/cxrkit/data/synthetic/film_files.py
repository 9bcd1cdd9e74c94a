"""Draws the films of a study and writes them as JPEG files."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cxrkit.data.synthetic.anatomy import Body
from cxrkit.data.synthetic.cohort import FilmPlan, StudyPlan
from cxrkit.data.synthetic.films import draw_frontal
from cxrkit.data.synthetic.lateral import draw_lateral
from cxrkit.data.synthetic.truth import Film

_JPEG_QUALITY = 95  # that of MIMIC-CXR-JPG


@dataclass(frozen=True)
class WrittenFilm:
    """A film on disk: its path below the MIMIC-CXR-JPG root, its checksum, and the truth about it."""

    path: str
    sha256: str
    film: Film


def draw_film(rng: np.random.Generator, body: Body, study: StudyPlan, plan: FilmPlan) -> Film:
    """Draws one film of a study."""
    placed = tuple(finding.placed for finding in study.findings)
    if plan.projection == "LATERAL":
        return draw_lateral(rng, body, placed, plan.width, plan.height)
    return draw_frontal(rng, body, placed, plan.width, plan.height, "AP" if plan.projection == "AP" else "PA")


def write_film(root: Path, folder: str, plan: FilmPlan, film: Film) -> WrittenFilm:
    """Writes a film below `files/`.

    Args:
        root: the MIMIC-CXR-JPG root.
        folder: the study's folder below `files/`.
        plan: identifier and size.
        film: what was drawn.
    """
    data = encode_jpeg(film.pixels)
    path = f"files/{folder}/{plan.dicom_id}.jpg"
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return WrittenFilm(path, hashlib.sha256(data).hexdigest(), film)


def encode_jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Gives 8-bit pixels `[H, W]` as a one-channel JPEG of quality 95."""
    return encode_jpeg_image(Image.fromarray(pixels))


def encode_jpeg_image(image: Image.Image) -> bytes:
    """Gives an image as a JPEG of quality 95."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
