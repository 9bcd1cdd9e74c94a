"""What the tables of the terminal show, and that 80 columns are enough."""

import io

import pytest
from rich.console import Console

from cxrkit.cli.options import data_options
from cxrkit.cli.tables import headline_table, metrics_table, remarks_on, synthetic_table

COUNTS = {
    "views": {"frontal": 4},
    "masked": {},
    "unmapped_regions": {},
    "unmapped_entities": {},
    "yes_no_disagreements": 0,
}


def lines(table, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return [line for line in console.file.getvalue().splitlines() if line.strip()]


def test_synthetic_counts_stand_under_their_split():
    table = synthetic_table({"patients": 9, "patients_train": 5, "patients_test": 4, "scene_graphs": 3})
    head, patients, graphs = (line.split() for line in lines(table) if "─" not in line)
    assert head == ["train", "validate", "test", "total"]
    assert patients == ["patients", "5", "-", "4", "9"]
    assert graphs == ["scene", "graphs", "-", "-", "-", "3"]


def test_figures_are_never_broken_at_80_columns():
    interval = "0.812 [0.780, 0.840]"
    title = "Grounding: mean IoU (questions with reference boxes)"
    shown = lines(headline_table([(title, interval, "0.500", "not defined", "not defined")]))
    assert any(interval in line and line.count("not defined") == 2 for line in shown)
    assert all(len(line) <= 80 for line in shown)
    assert all(word in " ".join(" ".join(shown).split()) for word in title.split())
    assert all(column in shown[0] for column in ("model [95 %]", "blank", "text only", "majority"))


def test_metrics_tell_counts_and_what_is_not_defined():
    shown = {line.split()[0]: line.split()[1:] for line in lines(metrics_table(
        {"loss": 0.25, "findings_scored": 13.0, "mean_auroc": None}
    ))}  # fmt: skip
    assert shown["loss"] == ["0.250"]
    assert shown["findings_scored"] == ["13"]
    assert shown["mean_auroc"] == ["not", "defined"]


def test_remarks_name_what_is_used_in_part_only():
    assert remarks_on(COUNTS) == []
    names = {f"name {number}": number for number in range(1, 8)}
    told = remarks_on(
        COUNTS
        | {"views": {"unknown": 1200}, "masked": {"category": 3}, "unmapped_entities": names}
        | {"yes_no_disagreements": 2}
    )
    assert told[0] == "films of unknown view: 1,200"
    assert told[1] == "questions without a usable target: 3 (category 3)"
    assert told[2].startswith("mentions of entities that no table maps: 28 (name 7 7, name 6 6")
    assert told[2].endswith("and 2 more names)")
    assert told[3].endswith("contradicts their findings: 2")


@pytest.mark.parametrize(("given", "words"), [((None, None, None), []), (("a b", None, "w"), 4)])
def test_only_named_data_enters_a_command(given, words):
    assert len(data_options(*given)) == (words if isinstance(words, int) else len(words))
