"""The 14 labels of a study as CheXpert, NegBio and a radiologist would write them."""

import numpy as np

from cxrkit.data.synthetic.course import ReportedFinding
from cxrkit.data.synthetic.truth import DRAWABLE
from cxrkit.vocabulary import FINDINGS, NO_FINDING

POSITIVE, NEGATIVE, UNCERTAIN, BLANK = "1.0", "0.0", "-1.0", ""

# How often a report mentions that a finding is absent; the rest of the absent ones stay blank.
_MENTIONED_ABSENT = {
    "Pneumothorax": 0.35,
    "Pleural Effusion": 0.25,
    "Consolidation": 0.15,
    "Edema": 0.15,
    "Pneumonia": 0.12,
    "Cardiomegaly": 0.10,
    "Enlarged Cardiomediastinum": 0.05,
    "Fracture": 0.03,
}
_ELSEWHERE_ABSENT = 0.02
_ALL_BLANK_SHARE = 0.01
_DISAGREEMENT = 0.02  # share of labels in which NegBio differs from CheXpert
# CheXpert's hierarchy: these are opacities too, and reports often call them so.
_OPACITIES = ("Consolidation", "Pneumonia")
_OPACITY_MENTIONED = 0.85


def chexpert_labels(rng: np.random.Generator, findings: tuple[ReportedFinding, ...]) -> list[str]:
    """Gives the cells of a study's row in the CheXpert file, in the order of `FINDINGS`."""
    cells = _drawn_cells(findings)
    if any(cells[FINDINGS.index(name)] for name in _OPACITIES) and rng.random() < _OPACITY_MENTIONED:
        cells[FINDINGS.index("Lung Opacity")] = POSITIVE
    for index, name in enumerate(FINDINGS):
        mentioned = rng.random() < _MENTIONED_ABSENT.get(name, _ELSEWHERE_ABSENT)
        if cells[index] == BLANK and index != NO_FINDING and mentioned:
            cells[index] = NEGATIVE
    if cells[NO_FINDING] and rng.random() < _ALL_BLANK_SHARE:
        return [BLANK] * len(FINDINGS)
    return cells


def negbio_labels(rng: np.random.Generator, chexpert: list[str]) -> list[str]:
    """Gives the NegBio row: the CheXpert row with a few mentions overlooked or hedged."""
    cells = list(chexpert)
    for index in np.flatnonzero(rng.random(len(cells)) < _DISAGREEMENT):
        if index != NO_FINDING and cells[index] != BLANK:
            cells[index] = UNCERTAIN if cells[index] == POSITIVE else BLANK
    return cells


def radiologist_labels(findings: tuple[ReportedFinding, ...]) -> list[str]:
    """Gives the row of the labelled test set: the drawing truth, 1.0 or 0.0.

    As in the published table, `No Finding` leaves support devices out of account.
    """
    cells = _drawn_cells(findings)
    if any(cells[FINDINGS.index(name)] for name in _OPACITIES):
        cells[FINDINGS.index("Lung Opacity")] = POSITIVE
    return [POSITIVE if cell else NEGATIVE for cell in cells]


def _drawn_cells(findings: tuple[ReportedFinding, ...]) -> list[str]:
    cells = [BLANK] * len(FINDINGS)
    for finding in findings:
        name = DRAWABLE[finding.placed.entity].finding
        if not name:
            continue
        index = FINDINGS.index(name)
        if finding.certain or cells[index] == POSITIVE:
            cells[index] = POSITIVE
        else:
            cells[index] = UNCERTAIN
    if all(DRAWABLE[finding.placed.entity].is_device for finding in findings):
        cells[NO_FINDING] = POSITIVE
    return cells
