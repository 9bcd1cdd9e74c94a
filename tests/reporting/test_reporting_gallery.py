import base64
import io
import re
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from cxrkit.reporting import GalleryItem, LabelledBox, Page


def film(height: int = 60, width: int = 80) -> np.ndarray:
    return (np.arange(height * width).reshape(height, width) % 251).astype(np.uint8)


def html_of(*items: GalleryItem) -> str:
    page = Page("films")
    page.gallery(list(items))
    return page.to_html()


def embedded_image(html: str) -> np.ndarray:
    (data,) = re.findall(r'href="data:image/png;base64,([^"]+)"', html)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def rectangles(html: str, kind: str) -> list[tuple[float, ...]]:
    pattern = r'<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="([^"]+)"'
    found = re.findall(pattern, html)
    return [tuple(map(float, numbers)) for *numbers, fill in found if (fill == "none") == (kind == "box")]


def test_the_film_is_embedded_pixel_by_pixel():
    assert np.array_equal(embedded_image(html_of(GalleryItem(film()))), film())


def test_a_large_film_is_made_smaller_but_boxes_keep_its_pixels():
    html = html_of(GalleryItem(film(1500, 1200), [LabelledBox((100, 200, 1100, 1400), "")]))
    assert embedded_image(html).shape == (512, 410)
    assert 'viewBox="0 0 1200 1500"' in html
    assert rectangles(html, "box") == [(100.0, 200.0, 1000.0, 1200.0)]


def test_kinds_of_boxes_differ_by_more_than_colour():
    first = LabelledBox((10, 10, 40, 40), "right lung", "predicted", 0.914)
    second = LabelledBox((12, 10, 44, 40), "right lung", "reference")
    html = html_of(GalleryItem(film(), [first, second]))
    assert html.count("stroke-dasharray") == 1
    assert ">right lung 0.91</text>" in html
    assert "predicted box" in html
    assert "reference box" in html
    assert "reference box" not in html_of(GalleryItem(film(), [first]))


def test_captions_of_equal_boxes_do_not_cover_each_other():
    boxes = [LabelledBox((100, 100, 300, 300), f"finding {number}") for number in range(5)]
    tags = rectangles(html_of(GalleryItem(film(500, 500), boxes)), "tag")
    assert len(tags) == 5
    tops = sorted(y for _, y, _, _ in tags)
    assert all(below - above >= tags[0][3] - 0.2 for above, below in pairwise(tops))
    assert all(y >= 0 and y + height <= 500 for _, y, _, height in tags)


def test_texts_are_escaped():
    lines = ("<i>plain</i>", ("Question", "Is it > 3 cm?"))
    html = html_of(GalleryItem(film(), [LabelledBox((1, 1, 5, 5), "<b>")], "a & b", lines))
    for words in ("&lt;i&gt;plain", "Is it &gt; 3 cm?", "<b>Question</b>", "&lt;b&gt;", "a &amp; b"):
        assert words in html


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_what_is_no_grey_film_is_refused(image):
    with pytest.raises(ValueError, match="a film is uint8"):
        html_of(GalleryItem(image))
