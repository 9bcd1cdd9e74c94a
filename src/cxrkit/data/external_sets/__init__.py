"""Question sets of other places, read from local folders in their published layouts."""

from cxrkit.data.external_sets.question_set import EXTERNAL_SETS, ExternalQuestion, QuestionSet
from cxrkit.data.external_sets.reading import read_question_set

__all__ = ["EXTERNAL_SETS", "ExternalQuestion", "QuestionSet", "read_question_set"]
