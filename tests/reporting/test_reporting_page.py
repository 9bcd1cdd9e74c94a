import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from cxrkit.reporting import Page

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Reader(HTMLParser):
    """Collects tags, addresses and texts, and notices tags that do not close."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.addresses, self.ids, self.texts = [], [], [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src")]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def make_page() -> Page:
    page = Page("Report <of> a run", 'grade "A" & more')
    page.facts([("studies", "1,204")])
    page.notice("Ready.", "success")
    page.section("Numbers & more", "First paragraph.\n\nSecond <b>paragraph</b>.")
    page.table(["head", "n", "score"], [["binary", 12345, 0.81234], ["region", 3, None]], "Scores <1>")
    page.section("Empty things")
    page.table(["code", "n"], [], "Rejects", empty="no rejects")
    page.gallery([])
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1])
    page.figure(figure, 'a "line"')
    return page


def test_page_is_well_formed_and_everything_is_escaped():
    reader = Reader(make_page().to_html())
    texts = "".join(reader.texts)
    for words in ("Report <of> a run", 'grade "A" & more', "Second <b>paragraph</b>.", "Scores <1>"):
        assert words in texts
    assert "of" not in reader.tags
    assert "b" not in reader.tags


def test_page_needs_nothing_from_outside():
    html = make_page().to_html()
    reader = Reader(html)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in reader.addresses)
    assert "://" not in html
    assert "@import" not in html
    assert "url(" not in html
    assert "link" not in reader.tags
    assert "default-src 'none'" in html


def test_the_browser_may_run_exactly_the_script_of_the_page():
    html = make_page().to_html()
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


def test_contents_lead_to_the_sections():
    html = make_page().to_html()
    reader = Reader(html)
    links = [address[1:] for address in reader.addresses if address.startswith("#")]
    assert links == ["section-1", "section-2"]
    assert set(links) <= set(reader.ids)
    assert "Numbers &amp; more" in html


def test_same_calls_same_bytes(tmp_path: Path):
    make_page().write(tmp_path / "first.html")
    make_page().write(tmp_path / "second.html")
    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "second.html").read_bytes()


def test_writing_replaces_the_old_file_and_leaves_nothing_else(tmp_path: Path):
    path = tmp_path / "new" / "report.html"
    for title in ("first", "second"):
        Page(title).write(path)
    assert "<h1>second</h1>" in path.read_text("utf-8")
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_failing_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "report.html"
    Page("old").write(path)

    def refuse(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="disk full"):
        Page("new").write(path)
    assert "<h1>old</h1>" in path.read_text("utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_half_a_surrogate_pair_does_not_stop_the_report(tmp_path: Path):
    page = Page("odd \ud83d text")
    page.write(tmp_path / "report.html")
    assert b"odd" in (tmp_path / "report.html").read_bytes()


def test_empty_states_are_said_in_words():
    html = make_page().to_html()
    assert "Rejects: no rejects" in html
    assert "No films to show." in html
    assert "<nav" not in Page("alone").to_html()


def test_numbers_stand_right_and_sort_by_value():
    page = Page("t")
    rows = [["a", "12.5 %", "0.8 [0.7, 0.9]", "-3"], ["b", "< 0.1 %", "–", "1,200"], ["c", "–", None, "5"]]
    page.table(["name", "share", "score", "gain"], rows)
    html = page.to_html()
    assert '<th class="left" scope="row">a</th>' in html
    assert '<td class="right" data-key="12.5">12.5 %</td>' in html
    assert '<td class="right" data-key="0.8">0.8 [0.7, 0.9]</td>' in html
    assert '<td class="right" data-key="-3">-3</td>' in html
    assert '<td class="right" data-key="1200">1,200</td>' in html


def test_words_and_given_alignment():
    page = Page("t")
    page.table(["code", "n"], [["x", "several"]])
    page.table(["code", "n"], [["y", 1]], align=["center", "left"])
    html = page.to_html()
    assert '<td class="left">several</td>' in html
    assert '<td class="left" data-key="1.0">1</td>' in html
    assert '<th class="center" scope="row">y</th>' in html


def test_wrong_arguments_are_refused():
    page = Page("t")
    with pytest.raises(ValueError, match="3 cells in a table of 2 columns"):
        page.table(["a", "b"], [[1, 2], [1, 2, 3]])
    with pytest.raises(ValueError, match="alignment"):
        page.table(["a", "b"], [[1, 2]], align=["left"])
    with pytest.raises(ValueError, match="not 'loud'"):
        page.notice("x", "loud")
