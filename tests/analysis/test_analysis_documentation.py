"""The documentation names every code, threshold and key that the analysis can write."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest

import cxrkit.analysis
from cxrkit.analysis import Thresholds
from cxrkit.cli import main

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "analysis.md").read_text("utf-8")


def test_every_code_is_documented():
    sources = [path.read_text("utf-8") for path in Path(cxrkit.analysis.__file__).parent.glob("*.py")]
    found = {code for text in sources for code in re.findall(r'Remark\(\s*"\w+",\s*f?"([\w{}]+)"', text)}
    # Codes that are put together from a kind.
    kinds = {"unmapped": ("regions", "entities"), "{kind}": ("identical", "near_identical")}
    codes = {code.format(kind=kind) for code in found for kind in kinds.get(code.partition("_")[0], ("",))}
    assert len(codes) > 25
    assert [code for code in sorted(codes) if f"`{code}`" not in TEXT] == []


def test_every_threshold_is_documented_with_its_default():
    for name, value in asdict(Thresholds()).items():
        assert f"| `{name}` | {value} |" in TEXT


def test_every_option_of_the_command_is_documented(capsys):
    with pytest.raises(SystemExit):
        main(["analyze", "--help"])
    options = set(re.findall(r"^  (--\w+)", capsys.readouterr().out, re.MULTILINE))
    assert len(options) > 6
    assert [option for option in sorted(options) if f"`{option}`" not in TEXT] == []


def test_every_key_of_the_report_is_documented(make_index, tmp_path, monkeypatch):
    monkeypatch.setattr("cxrkit.analysis.report.draw_files", lambda *_: None)
    data = cxrkit.analysis.analyze(make_index(), tmp_path).data
    assert [key for key in data if f"`{key}`" not in TEXT] == []
    assert f"`schema_version` is {data['schema_version']};" in TEXT
