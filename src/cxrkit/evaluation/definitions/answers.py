"""Metrics of answers, by class and as text."""

from cxrkit.evaluation.definitions.definition import Definition

ANSWER_METRICS = (
    Definition("accuracy", "accuracy", "share of questions whose class is right; 0..1", "no questions"),
    Definition(
        "balanced_accuracy",
        "balanced accuracy",
        "mean recall over the classes present among the references; 0..1, chance 1 / classes",
        "no questions",
    ),
    Definition(
        "macro_f1", "macro F1", "mean F1 over the classes present among the references; 0..1", "no questions"
    ),
    Definition(
        "auroc",
        "AUROC",
        "area under the ROC curve from the probability of the positive class; 0..1, chance 0.5",
        "only one value among the references",
    ),
    Definition(
        "average_precision",
        "average precision",
        "area under the precision-recall steps, without interpolation; 0..1, chance = share of positives",
        "no positive among the references",
    ),
    Definition(
        "exact_set_match",
        "exact set match",
        "share of questions whose predicted set equals the reference set; two empty sets are equal; 0..1",
        "no questions",
    ),
    Definition(
        "jaccard",
        "Jaccard index",
        "mean over questions of |intersection| / |union| of the sets; two empty sets count 1; 0..1",
        "no questions",
    ),
    Definition(
        "micro_f1_over_sets",
        "micro F1 over sets",
        "2 TP / (2 TP + FP + FN) over all pairs of question and class; 0..1",
        "every reference and predicted set is empty",
    ),
    Definition(
        "micro_f1_over_findings",
        "micro F1 over findings",
        "micro F1 over the pairs of question and finding, No Finding left out: most references are just "
        "No Finding, and an answer that never names a finding would pass for a good one; 0..1",
        "no finding in any reference or predicted set",
    ),
    Definition(
        "macro_f1_over_sets",
        "macro F1 over sets",
        "mean F1 over the classes that occur in a reference set; 0..1",
        "every reference set is empty",
    ),
    Definition(
        "macro_auroc",
        "macro AUROC",
        "mean AUROC over the classes with both values among the references; 0..1, chance 0.5",
        "no class has both values among the references",
    ),
    Definition(
        "mean_average_precision_over_classes",
        "mean average precision over classes",
        "mean average precision over the classes with a positive; no detection metric; 0..1",
        "no class has a positive",
    ),
    Definition(
        "answer_exact_match",
        "exact match of the answer text",
        "share of answers equal to the reference after lower-casing, without punctuation and articles; 0..1",
        "no questions",
    ),
    Definition(
        "answer_token_f1",
        "token F1 of the answer text",
        "mean F1 of the words shared by answer and reference, after the same normalisation; 0..1",
        "no questions",
    ),
    Definition(
        "answer_names_reference_class",
        "answer names a class of the reference",
        "over open questions whose reference names one of the 14 findings or 26 regions: share whose answer "
        "names one of the same; 0..1",
        "no reference that names a finding or region",
    ),
    Definition(
        "any_match",
        "any match",
        "share of questions whose predicted set shares a class with the reference set; two empty sets count "
        "1, one empty set 0; 0..1",
        "no questions",
    ),
    Definition(
        "micro_auroc",
        "micro AUROC",
        "AUROC over all pairs of question and class, ranked together; 0..1, chance 0.5, but shares of the "
        "classes alone lift it",
        "only one value among the pairs",
    ),
    Definition(
        "answer_rouge_l",
        "ROUGE-L of the answer text",
        "mean F1 of the longest common subsequence of words (lower case, letters and digits, no stemming); "
        "as rouge-score computes it; 0..1",
        "no questions",
    ),
    Definition(
        "answer_bleu_4",
        "BLEU-4 of the answer texts",
        "BLEU-4 of all answers together (sacrebleu: tokenizer 13a, case counts, exponential smoothing, one "
        "reference), divided by 100; resamples compute it anew; 0..1",
        "no word in any text",
    ),
    Definition(
        "answer_clinical_term_f1",
        "clinical-term F1 of the answer text",
        "over questions whose answer or reference names a clinical term: mean of 2 shared terms / all terms "
        "of both; terms are the 14 findings with their negation, 26 regions, severities; 0..1",
        "no answer or reference names a clinical term",
    ),
    Definition(
        "answer_type_accuracy",
        "semantic answer-type accuracy",
        "share of answers of the reference's kind: yes, no, finding, nothing abnormal, severity, region "
        "or other; 0..1",
        "no questions",
    ),
    Definition(
        "answer_bertscore",
        "BERTScore F1 of the answer text",
        "mean F1 of greedily matched token embeddings (bert-score, no baseline rescaling), with the model "
        "that the manifest names; at most 1",
        "no BERTScore model was given",
    ),
)
