"""A comparison as rows of a table, as CSV and as LaTeX."""

import csv
import io
import math
from collections.abc import Sequence

from cxrkit.evaluation.comparison.differences import Difference
from cxrkit.evaluation.comparison.scored import ScoredRun
from cxrkit.evaluation.definitions import DEFINITIONS
from cxrkit.evaluation.measured import Measured, json_number
from cxrkit.reporting import format_interval, format_number, format_signed

COLUMNS = (
    "figure",
    "run",
    "value [95 %]",
    "minus first [95 %]",
    "p",
    "p Holm",
    "p Bonferroni",
    "p McNemar",
    "p DeLong",
    "Cohen's d",
)
SHORT_COLUMNS = ("figure", "run", "value", "minus first", "p Holm")
_LATEX = str.maketrans(
    {
        "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
        "<": r"\textless{}", ">": r"\textgreater{}", "–": "--", "−": "-",
    }
)  # fmt: skip


def table_rows(runs: Sequence[ScoredRun], differences: Sequence[Difference]) -> list[tuple[str, ...]]:
    """Gives a row per figure and run, with the columns `COLUMNS`; the first run has no difference.

    Args:
        runs: in the order of the comparison.
        differences: of the others from the first.
    """
    rows: list[tuple[str, ...]] = []
    for key, figure in runs[0].measured.items():
        title = f"{figure.basis.head.capitalize()}: {DEFINITIONS[figure.name].title}"
        title += f", {figure.basis.finding}" if figure.basis.finding else ""
        rows.append((title, runs[0].name, _value(figure), *[""] * 7))
        rows += [
            (title, entry.names[1], _value(entry.other), *_cells(entry))
            for entry in differences
            if entry.key == key
        ]
    return rows


def short_rows(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Gives the rows with the columns `SHORT_COLUMNS`, which fit a terminal."""
    return [(row[0], row[1], row[2], row[3], row[5]) for row in rows]


def to_csv(runs: Sequence[ScoredRun], differences: Sequence[Difference]) -> str:
    """Gives one line per figure and run, one number per cell; empty where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "head", "metric", "finding", "run", "value", "low", "high", "n", "n_patients",
            "difference", "difference_low", "difference_high", "p_bootstrap", "p_holm", "p_bonferroni",
            "p_mcnemar", "p_delong", "p_paired_t", "cohens_d",
        ]
    )  # fmt: skip
    for run in runs:
        by_key = {entry.key: entry for entry in differences if entry.names[1] == run.name}
        for key, figure in run.measured.items():
            writer.writerow([*_figure_numbers(run.name, figure), *_difference_numbers(by_key.get(key))])
    return text.getvalue()


def to_latex(rows: Sequence[tuple[str, ...]], caption: str) -> str:
    """Gives the table for a paper that uses booktabs; every special character is escaped."""
    columns = COLUMNS[:6]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        rf"\caption{{{escape_latex(caption)}}}",
        r"\begin{tabular}{ll" + "r" * (len(columns) - 2) + "}",
        r"\toprule",
        " & ".join(escape_latex(name) for name in columns) + r" \\",
        r"\midrule",
    ]
    before = ""
    for row in rows:
        cells = [escape_latex(cell) for cell in row[: len(columns)]]
        cells[0], before = ("" if cells[0] == before else cells[0]), cells[0]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def escape_latex(text: str) -> str:
    r"""Gives text that LaTeX prints as it is.

    >>> print(escape_latex("95 % of run_1"))
    95 \% of run\_1
    """
    return text.translate(_LATEX)


def format_p(value: float) -> str:
    """Gives a p value with three decimals, never rounded to 0; a dash for `nan`.

    >>> format_p(0.0004), format_p(0.2)
    ('< 0.001', '0.200')
    """
    return "< 0.001" if value < 0.001 else format_number(value)


def _value(figure: Measured) -> str:
    low, high = figure.bootstrap.interval() or (None, None)
    return format_interval(json_number(figure.bootstrap.value), low, high)


def _cells(entry: Difference) -> tuple[str, ...]:
    interval = entry.bootstrap.interval()
    ends = "" if interval is None else f" [{format_signed(interval[0])}, {format_signed(interval[1])}]"
    tested = [
        format_p(entry.tests[name].p_value) if name in entry.tests else "" for name in ("mcnemar", "delong")
    ]
    return (
        format_signed(entry.bootstrap.value) + ends,
        format_p(entry.p_value),
        format_p(entry.p_holm),
        format_p(entry.p_bonferroni),
        *tested,
        "" if entry.effect is None else format_signed(entry.effect),
    )


def _figure_numbers(name: str, figure: Measured) -> list[object]:
    basis = figure.basis
    low, high = figure.bootstrap.interval() or (math.nan, math.nan)
    numbers = [_number(value) for value in (figure.bootstrap.value, low, high)]
    return [basis.head, figure.name, basis.finding or "", name, *numbers, basis.n, basis.n_patients]


def _difference_numbers(entry: Difference | None) -> list[object]:
    if entry is None:
        return [""] * 10
    low, high = entry.bootstrap.interval() or (math.nan, math.nan)
    tests = [
        entry.tests[name].p_value if name in entry.tests else math.nan
        for name in ("mcnemar", "delong", "paired_t")
    ]
    effect = math.nan if entry.effect is None else entry.effect
    values = [entry.bootstrap.value, low, high, entry.p_value, entry.p_holm, entry.p_bonferroni]
    return [_number(value) for value in (*values, *tests, effect)]


def _number(value: float) -> float | str:
    found = json_number(value)
    return "" if found is None else found
