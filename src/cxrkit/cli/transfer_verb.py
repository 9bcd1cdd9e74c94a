"""`cxrkit transfer`: a trained model asked the questions of another data set."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def transfer(
    model_path: Annotated[
        Path, typer.Option("--model_path", help="VQA model, e.g. checkpoints/<run>/best_model.")
    ],
    dataset: Annotated[
        Literal["vqa_rad", "slake"], typer.Option("--dataset", help="In whose layout the folder is.")
    ],
    data_path: Annotated[Path, typer.Option("--data_path", help="Folder of the set; read only.")],
    split: Annotated[
        str, typer.Option("--split", help="vqa_rad: test, train, all; slake: test, validate, train.")
    ] = "test",
    output_dir: Annotated[Path, typer.Option("--output_dir", help="Folder of answers and report.")] = Path(
        "transfer_results"
    ),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results of another model, set or split.")
    ] = False,
) -> None:
    """Ask a VQA model the chest questions of VQA-RAD or SLAKE.

    English questions about chest radiographs are asked; which question types they are is read from their
    texts, and those that no type asks are counted, not scored.
    """
    from cxrkit.cli.tables import transfer_table
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.data.external_sets import read_question_set

    terminal = open_terminal()
    questions = read_question_set(dataset, data_path, split)
    from cxrkit.cli.evaluate_verb import best_model
    from cxrkit.evaluation.transfer import publish_transfer, require_free_transfer
    from cxrkit.inference.external import predict_external

    model_path = best_model(model_path, terminal)
    own = {"dataset": dataset, "split": split, "checkpoint": str(model_path)}
    require_free_transfer(output_dir, own, overwrite=overwrite)
    with terminal.bars() as bars:
        answers = predict_external(model_path, questions, progress=bars.report)
        result = publish_transfer(answers, output_dir)
    report = result.report
    terminal.say(f"{model_path} on {dataset}, split {split}")
    terminal.say(f"asked: {report['n_questions_asked']:,} of {report['n_questions_in_split']:,} questions")
    for reason, count in report["left_out"].items():
        terminal.say(f"left out: {count:,} {reason}")
    terminal.results.print(transfer_table(result.rows))
    for path in result.paths:
        terminal.say(str(path))
