"""`cxrkit evaluate`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cxrkit.cli.options import (
    Assignments,
    ConfigFile,
    CxrPath,
    PatientTables,
    QaPath,
    Workspace,
    collect_overrides,
    data_overrides,
)

if TYPE_CHECKING:
    from cxrkit.cli.terminal import Terminal
    from cxrkit.config import Settings
    from cxrkit.evaluation.publish import EvaluationResult

# What the model itself holds: said again, it would change nothing and stand in the report as if it had.
TRAINED_KEYS = ("data.image_size", "model.visual_backbone", "model.label_policy", "model.pretrained")


def evaluate(
    model_path: Annotated[
        Path, typer.Option("--model_path", help="Model folder, e.g. checkpoints/<run>/best_model.")
    ],
    config: ConfigFile = None,
    mimic_cxr_path: CxrPath = None,
    mimic_qa_path: QaPath = None,
    workspace: Workspace = None,
    split: Annotated[
        Literal["train", "validate", "test"], typer.Option("--split", help="Official split to evaluate on.")
    ] = "test",
    output_dir: Annotated[
        Path, typer.Option("--output_dir", help="Folder of predictions and report.")
    ] = Path("evaluation_results"),
    protocols: Annotated[
        str | None,
        typer.Option(
            "--protocols",
            help="Of VQA models, comma-separated: predicted, anatomy, oracle, none (graph sources), "
            "blank_image, shuffled_image, question_only, majority; all by default.",
        ),
    ] = None,
    compute_attention: Annotated[
        bool, typer.Option("--compute_attention", help="Compare attention with the answers' boxes too.")
    ] = False,
    bertscore_model: Annotated[
        str | None,
        typer.Option(
            "--bertscore_model", help="Local folder or hub name of a model for BERTScore; none by default."
        ),
    ] = None,
    films_in_report: Annotated[
        bool,
        typer.Option(
            "--films_in_report",
            help="Show films and texts of patients in report.html (data.films_in_reports).",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results of another model, split or data.")
    ] = False,
    compute_explanations: Annotated[
        bool,
        typer.Option(
            "--compute_explanations",
            help="Of VQA models: explain a sample of answers by removing patches and graph nodes, "
            "with the attention; about 40 films through the network per question.",
        ),
    ] = False,
    explanation_questions: Annotated[
        int | None,
        typer.Option(
            "--explanation_questions",
            metavar="N",
            min=1,
            help="How many answers to explain (500), drawn by training.seed, one per patient before two.",
        ),
    ] = None,
    skip_consistency: Annotated[
        bool,
        typer.Option("--skip_consistency", help="Do not ask what must agree (normal, abnormal, mirrored)."),
    ] = False,
    patients: PatientTables = None,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Write the page as report.pdf too, for A4 paper.")
    ] = False,
    assignments: Assignments = None,
) -> None:
    """Predict on a split and score the answers beside their controls."""
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.cli.workspace import open_prepared, require_pixels

    terminal = open_terminal()
    model_path = best_model(model_path, terminal)
    named = data_overrides(mimic_cxr_path, mimic_qa_path, workspace)
    named["data.films_in_reports"] = True if films_in_report else None
    overrides = collect_overrides(named, assignments)
    settings = _settings(model_path, config, overrides)
    _require_own_settings(overrides)
    explained = _questions_to_explain(compute_explanations, explanation_questions)
    with terminal.bars() as bars:
        index = open_prepared(settings, overrides, bars, own_config=config is not None)
        require_pixels(index, _image_size(model_path), f"image_size of the model in {model_path}")
        from cxrkit.evaluation.run import evaluate_model

        result = evaluate_model(
            model_path,
            settings,
            split=split,
            output_dir=output_dir,
            protocols=None if protocols is None else [name.strip() for name in protocols.split(",")],
            compute_attention=compute_attention,
            bertscore_model=bertscore_model,
            overwrite=overwrite,
            explanation_questions=explained,
            patient_tables=patients or (),
            ask_consistency=not skip_consistency,
            pdf=pdf,
            progress=bars.report,
        )
    terminal.say(f"{model_path} on the {split} split")
    show_evaluation(result, terminal)


def show_evaluation(result: "EvaluationResult", terminal: "Terminal") -> None:
    """Prints the figures of an evaluation and where its files are."""
    from cxrkit.cli.tables import evidence_table, headline_table

    if result.warning is not None:
        terminal.say(f"warning: {result.warning}")
    terminal.results.print(headline_table(result.table))
    if result.evidence:
        terminal.results.print(evidence_table(result.evidence))
    for remark in result.remarks:
        terminal.say(remark)
    for path in (result.predictions_path, result.report_path, result.html_path, result.pdf_path):
        if path is not None:
            terminal.say(str(path))
    folder = shlex.quote(str(result.predictions_path.parent))
    terminal.say(f"next: read report.html; compare with another run: cxrkit compare {folder} OTHER")


def _require_own_settings(overrides: dict[str, object]) -> None:
    from cxrkit.errors import SettingsError

    given = [f"{key}: decided when the model was trained" for key in TRAINED_KEYS if key in overrides]
    if given:
        raise SettingsError("command line", given)


def _questions_to_explain(compute_explanations: bool, asked_for: int | None) -> int:
    from cxrkit.errors import SettingsError
    from cxrkit.inference.perturbation import DEFAULT_QUESTIONS

    if not compute_explanations and asked_for is not None:
        raise SettingsError(
            "command line", ["--explanation_questions: nothing is explained without --compute_explanations"]
        )
    return (asked_for or DEFAULT_QUESTIONS) if compute_explanations else 0


def best_model(model_path: Path, terminal: "Terminal") -> Path:
    """Gives the best model inside the folder of a run; another folder as it is."""
    from cxrkit.models.configuration import CONFIG_FILE
    from cxrkit.training.run_folder import BEST_MODEL

    inner = model_path / BEST_MODEL
    if not (inner / CONFIG_FILE).is_file():
        return model_path
    terminal.note(f"{model_path} is the folder of a run: taking {inner}")
    return inner


def _image_size(model_path: Path) -> int:
    from cxrkit.evaluation.run import task_of_model
    from cxrkit.models.configuration import ClassifierConfig, SSGVQAConfig

    shape = SSGVQAConfig if task_of_model(model_path) == "vqa" else ClassifierConfig
    return int(shape.load(model_path).image_size)


def _settings(model_path: Path, config: Path | None, overrides: dict[str, object]) -> "Settings":
    from cxrkit.config import load_settings

    if config is not None:
        return load_settings(config, None, overrides)
    from cxrkit.models.configuration import read_config
    from cxrkit.training.run_folder import MODEL_SETTINGS_FILE

    # Asked first: a folder that holds no model is told as that, not as a missing settings file.
    read_config(model_path)
    # A trial's limit on the training films is no reason to score a part of the split.
    whole_split = {"data.max_samples": None, **overrides}
    return load_settings(model_path / MODEL_SETTINGS_FILE, None, whole_split)
