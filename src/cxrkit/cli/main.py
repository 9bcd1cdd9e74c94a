"""The program `cxrkit`: its verbs put together, and what each kind of failure ends with."""

import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cxrkit.cli import (
    ablate_verb,
    compare_verb,
    config_verbs,
    data_verbs,
    demo_verb,
    doctor_verb,
    evaluate_verb,
    hardware_verb,
    plan_verbs,
    push_verb,
    score_verb,
    train_verbs,
    transfer_verb,
    verify_verb,
)
from cxrkit.cli.options import read_flag_values
from cxrkit.errors import CxrkitError
from cxrkit.version import __version__

# How a traceback names one of the package's own errors: module and class.
_RAISED = re.compile(r"^cxrkit\.errors\.\w+: ", re.MULTILINE)
INTERRUPTED = 130  # as shells number a program that Ctrl-C ended
app = typer.Typer(
    help="Train, evaluate and question chest X-ray models on MIMIC-CXR.",
    no_args_is_help=True,
    add_completion=False,
    # The boxed form cuts keys and paths at 80 columns; the plain one wraps them.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("synth")(data_verbs.synth)
app.command("prepare")(data_verbs.prepare)
app.command("verify")(verify_verb.verify)
app.command("analyze")(data_verbs.analyze)
app.add_typer(train_verbs.app, name="train")
app.add_typer(plan_verbs.app, name="plan")
app.command("doctor")(doctor_verb.doctor)
app.command("evaluate")(evaluate_verb.evaluate)
app.command("score")(score_verb.score)
app.command("ablate")(ablate_verb.ablate)
app.command("compare")(compare_verb.compare)
app.command("transfer")(transfer_verb.transfer)
app.command("push")(push_verb.push)
app.command("demo")(demo_verb.demo)
app.command("hardware")(hardware_verb.hardware)
app.add_typer(config_verbs.app, name="config")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cxrkit {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command line and ends the process with its exit code.

    Args:
        arguments: without the program's name; None = those of this process.
    """
    words = read_flag_values(sys.argv[1:] if arguments is None else arguments)
    try:
        app(args=words, prog_name="cxrkit")
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            _tell_interrupted()
        raise
    except KeyboardInterrupt:
        _tell_interrupted()
        sys.exit(INTERRUPTED)
    except CxrkitError as error:
        _end_with(error)
    except OSError as error:
        _end_with(
            CxrkitError(
                "the operating system refused to read or write",
                found=f"{error.filename or 'a file'}: {error.strerror or error}",
                next_step="check the path, the permissions and the free space",
            )
        )


def _tell_interrupted() -> None:
    typer.echo("interrupted: nothing half-written is used; run the same command again", err=True)


def _end_with(error: CxrkitError) -> None:
    from rich.console import Console
    from rich.text import Text

    message = Text.assemble((f"{error.label}: ", "bold red"), _told(error))
    Console(stderr=True, highlight=False).print(message, soft_wrap=True)
    sys.exit(error.exit_code)


def _told(error: CxrkitError) -> str:
    """Gives the four parts of an error, also of one that was raised in a loading process.

    torch raises such an error again with that process's whole traceback as its only text; the last line with
    an error of the package begins what was said at first.
    """
    text = str(error)
    return _RAISED.split(text)[-1].rstrip() if text.startswith("Caught ") else text
