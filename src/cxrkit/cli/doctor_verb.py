"""`cxrkit doctor`: is a run all right, and what would going on do."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxrkit.cli import options
from cxrkit.cli.options import collect_overrides, data_overrides

if TYPE_CHECKING:
    from rich.table import Table

    from cxrkit.cli.terminal import Terminal
    from cxrkit.config import Settings
    from cxrkit.training.doctor import Diagnosis, Examined


def doctor(
    run: Annotated[Path, typer.Argument(help="Folder of the run, such as checkpoints/first.")],
    config: options.ConfigFile = None,
    workspace: options.Workspace = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", min=1, help="Processes to go on with; as many as before when not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    assignments: options.Assignments = None,
) -> None:
    """Tell which checkpoints are whole, and what resuming would do.

    Shown as well is what differs from now. Without --config, the run's own settings are those it would be
    gone on with. Ends with 2 when going on is refused or a best model is damaged. Nothing is changed.
    """
    from cxrkit.cli.terminal import open_terminal
    from cxrkit.config import load_settings
    from cxrkit.training.doctor import examine, recorded_run
    from cxrkit.training.run_folder import SETTINGS_FILE

    recorded = recorded_run(run)["run"]
    # What a launcher tells each process.
    os.environ["WORLD_SIZE"] = str(processes or recorded["processes"])
    overrides = collect_overrides(data_overrides(None, None, workspace), assignments)
    settings = load_settings(config or run / SETTINGS_FILE, recorded["task"], overrides)
    found = examine(run, _as_trained(settings))
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=1))
    else:
        _show(found, open_terminal())
    if found.refusal is not None:
        raise found.refusal
    _require_whole_models(found)


def _as_trained(settings: "Settings") -> "Settings":
    """Gives the settings with what a training fills in from the prepared data, where that is there."""
    from cxrkit.cli.workspace import as_prepared
    from cxrkit.data.index import Index
    from cxrkit.errors import ArtifactError

    try:
        return as_prepared(settings, Index.open(settings.data.workspace))
    except ArtifactError:
        # The examination says so.
        return settings


def _require_whole_models(found: "Diagnosis") -> None:
    from cxrkit.errors import ArtifactError
    from cxrkit.training.checkpoints import MANIFEST

    broken = [each for each in found.models if each.problem and (each.path / MANIFEST).is_file()]
    if broken:
        raise ArtifactError(
            f"{broken[0].path} is not whole",
            expected="its files as they were written",
            found=broken[0].problem,
            next_step="go on with the run, which writes a better model again; or train anew",
        )


def _as_json(found: "Diagnosis") -> dict[str, object]:
    return {
        "run": str(found.run_dir),
        "finished": found.is_finished,
        "checkpoints": _listed(found.checkpoints),
        "models": _listed(found.models),
        "leftovers": [path.name for path in found.leftovers],
        "notes": list(found.notes),
        "verdict": found.verdict,
        "can_go_on": found.refusal is None,
    }


def _listed(folders: "Sequence[Examined]") -> list[dict[str, object]]:
    return [
        {"name": each.path.name, "step": each.step, "bytes": each.size, "problem": each.problem or None}
        for each in folders
    ]


def _show(found: "Diagnosis", terminal: "Terminal") -> None:
    terminal.results.print(_table(found))
    for path in found.leftovers:
        terminal.say(f"{path.name}: left by an interrupted save; the next one removes it")
    if found.notes:
        terminal.say("what differs from now:")
    for note in found.notes:
        terminal.say(f"  {note}")
    terminal.say(found.verdict)


def _table(found: "Diagnosis") -> "Table":
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("folder", no_wrap=True)
    table.add_column("update", justify="right")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("state")
    for each in (*found.checkpoints, *found.models):
        step = "-" if each.step is None else f"{each.step:,}"
        table.add_row(each.path.name, step, f"{each.size / 1e6:,.1f} MB", each.problem or "whole")
    if not table.row_count:
        table.add_row("none yet", "-", "-", "neither a checkpoint nor a model")
    return table
