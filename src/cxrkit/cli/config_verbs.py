"""`cxrkit config show`: the resolved settings, each key with its meaning."""

from typing import Annotated, Literal

import typer

from cxrkit.cli.options import Assignments, ConfigFile, collect_overrides

app = typer.Typer(help="Look at the settings.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _settings() -> None:
    pass


@app.command()
def show(
    config: ConfigFile = None,
    task: Annotated[
        Literal["vqa", "classify"] | None,
        typer.Option("--task", help="Whose settings; by default what the file says, else vqa."),
    ] = None,
    assignments: Assignments = None,
) -> None:
    """Print every key with its value, what it must be and what it means."""
    from cxrkit.config import commented_settings, load_settings

    settings = load_settings(config, task, collect_overrides({}, assignments))
    typer.echo(commented_settings(settings), nl=False)
