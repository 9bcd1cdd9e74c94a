"""The metrics of answer sentences under one condition."""

import numpy as np

from cxrkit.evaluation.definitions import DEFINITIONS
from cxrkit.evaluation.measured import Basis, Measured, measure, without_value
from cxrkit.evaluation.text_pairs import BERTSCORE, TextPairs
from cxrkit.metrics import counts
from cxrkit.metrics.answer_types import same_answer_type_of_rows
from cxrkit.metrics.bleu import bleu_counts_of_rows, bleu_of_counts
from cxrkit.metrics.clinical_terms import clinical_term_f1_of_rows
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.rouge import rouge_l_of_rows
from cxrkit.metrics.statistics import IntArray, PatientResamples, SumStatistic
from cxrkit.metrics.text import text_scores_of_rows

NO_BERTSCORE = "not computed: no BERTScore model was given (cxrkit evaluate --bertscore_model)"


def measure_texts(
    texts: TextPairs, patients: IntArray, basis: Basis, resamples: PatientResamples
) -> list[Measured]:
    """Computes every metric of answer sentences.

    Args:
        texts: of N questions.
        patients: `[N]` subject ids.
        basis: what they are.
        resamples: of the patients of the whole report.
    """
    plain = texts.per_row(text_scores_of_rows).astype(float)
    bleu = texts.per_row(bleu_counts_of_rows).astype(np.int32)
    of_bleu = SumStatistic.of_rows(bleu, patients, resamples, bleu_of_counts)
    means = {
        "answer_exact_match": plain[:, 0],
        "answer_token_f1": plain[:, 1],
        "answer_rouge_l": texts.per_row(rouge_l_of_rows).astype(float),
        "answer_clinical_term_f1": texts.per_row(clinical_term_f1_of_rows).astype(float),
        "answer_type_accuracy": texts.per_row(same_answer_type_of_rows).astype(float),
    }
    return [
        *(_mean(name, values, patients, basis, resamples) for name, values in means.items()),
        measure("answer_bleu_4", basis, of_bleu, resamples),
        _bertscore(texts, patients, basis, resamples),
    ]


def _bertscore(texts: TextPairs, patients: IntArray, basis: Basis, resamples: PatientResamples) -> Measured:
    if texts.bertscore is None:
        return without_value("answer_bertscore", basis, resamples, NO_BERTSCORE)
    return _mean("answer_bertscore", texts.bertscore, patients, basis, resamples)


def _mean(
    name: str, values: FloatArray, patients: IntArray, basis: Basis, resamples: PatientResamples
) -> Measured:
    """Gives the mean of the rows that have a value, and counts the others in the reason when none has."""
    defined = ~np.isnan(values)
    pairs = np.stack([np.where(defined, values, 0.0), defined], axis=1)
    statistic = SumStatistic.of_rows(pairs, patients, resamples, counts.ratio_of_sums)
    about = basis if defined.all() else basis.about_rows(patients[defined])
    reason = f"{DEFINITIONS[name].undefined_when} ({len(values)} questions)" if len(values) else None
    return measure(
        name, about, statistic, resamples, undefined_reason=reason, n_undefined=int((~defined).sum())
    )


__all__ = ["BERTSCORE", "NO_BERTSCORE", "measure_texts"]
