"""From the text of a question to its question type, for questions that come without one.

Only what a type plainly asks is mapped; everything else has no type, and is not guessed.
"""

import re

from cxrkit.vocabulary.findings import NO_FINDING, SUPPORT_DEVICES
from cxrkit.vocabulary.questions import QuestionType, find_question_type
from cxrkit.vocabulary.text_mentions import findings_in_text, regions_in_text

_YES_NO = re.compile(r"^(?:is|are|was|were|does|do|did|has|have|had|can|could|should|would|will|any)\b")
_CHOICE = re.compile(r"\b(?:or|versus|vs)\b")
_NORMAL = re.compile(r"\b(?:normal|healthy|clear|unremarkable|within normal limits)\b")
_ABNORMAL = re.compile(r"\b(?:abnormal|abnormality|abnormalities|pathology|pathologies|disease|unhealthy)\b")
_WHERE = re.compile(
    r"^(?:where|in which|on which|which (?:side|lobe|lung|part|region|zone)|what (?:side|lobe|part)"
    r"|what is the location|locate)\b"
)
_SEVERE = re.compile(r"\bhow (?:severe|large|big|extensive|marked)\b|\b(?:severity|grade|degree) of\b")
_WHAT = re.compile(r"^(?:what|which|describe|name|list)\b")
_FINDINGS = re.compile(
    r"\b(?:abnormal|abnormality|abnormalities|disease|diseases|finding|findings|diagnosis|diagnoses"
    r"|pathology|pathologies|condition)\b"
)
_DEVICES = re.compile(r"\b(?:devices?|tubes?|lines?|catheters?|hardware|foreign bod(?:y|ies))\b")


def type_of_text(text: str) -> QuestionType | None:
    """Gives the question type that a text plainly asks; None where no type does.

    >>> type_of_text("Is there a pneumothorax?").name
    'D02_has_finding'
    >>> type_of_text("Where is the effusion?").name
    'D03_where_is_finding'
    >>> type_of_text("What plane is this film in?") is None
    True
    """
    words = " ".join(text.lower().split()).rstrip("?. ")
    if _YES_NO.search(words):
        name = None if _CHOICE.search(words) else _yes_no_type(words)
    else:
        name = _open_type(words)
    return None if name is None else find_question_type(name)


def _yes_no_type(words: str) -> str | None:
    findings, regions = findings_in_text(words), regions_in_text(words)
    named = set(findings) - {NO_FINDING}
    if named == {SUPPORT_DEVICES}:
        return "C08_has_region_device" if regions else "D06_has_device"
    if named:
        return "D02_has_finding"
    if _ABNORMAL.search(words):
        return "C03_is_abnormal_region" if regions else "B03_is_abnormal"
    if _NORMAL.search(words):
        return "C04_is_normal_region" if regions else "B04_is_normal"
    return None


def _open_type(words: str) -> str | None:
    findings = set(findings_in_text(words)) - {NO_FINDING}
    device = bool(findings) and findings == {SUPPORT_DEVICES}
    if _WHERE.search(words) and findings:
        return "D07_where_is_device" if device else "D03_where_is_finding"
    if _SEVERE.search(words) and findings and not device:
        return "D04_how_severe_is_finding"
    if not _WHAT.search(words):
        return None
    if _DEVICES.search(words):
        return "B12_describe_device"
    if _FINDINGS.search(words):
        return "C02_describe_abnormal_region" if regions_in_text(words) else "B02_describe_abnormal"
    return None
