"""The documentation names every code, threshold and key that the analysis can write."""

import re
from dataclasses import asdict
from pathlib import Path

import cxrkit.analysis
from cxrkit.analysis import Thresholds

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "analysis.md").read_text("utf-8")


def test_every_code_is_documented():
    sources = [path.read_text("utf-8") for path in Path(cxrkit.analysis.__file__).parent.glob("*.py")]
    codes = {code for text in sources for code in re.findall(r'Remark\(\s*"\w+",\s*"(\w+)"', text)}
    assert len(codes) > 15
    assert [code for code in sorted(codes) if f"`{code}`" not in TEXT] == []


def test_every_threshold_is_documented_with_its_default():
    for name, value in asdict(Thresholds()).items():
        assert f"| `{name}` | {value} |" in TEXT


def test_every_key_of_the_report_is_documented(make_index, tmp_path, monkeypatch):
    monkeypatch.setattr("cxrkit.analysis.report.draw_files", lambda *_: None)
    data = cxrkit.analysis.analyze(make_index(), tmp_path).data
    assert [key for key in data if f"`{key}`" not in TEXT] == []
