"""The verb `hardware`: what a machine has, and what is chosen because of it."""

import json
import shutil
from typing import Annotated

import typer


def hardware(
    assume: Annotated[
        str | None,
        typer.Option(
            "--assume",
            metavar="MACHINE",
            help='Another machine in words: "4x L4 24GB", "A100 80GB, 16 cores, 120GB RAM", "cpu". '
            "Cores and RAM that are not named are those of this one.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Show what this machine has, and what is chosen because of it."""
    from cxrkit.hardware import Choice, assumed_hardware, choose_device, detect_hardware, make_plan
    from cxrkit.hardware.box import as_json as json_values
    from cxrkit.hardware.box import draw_box
    from cxrkit.models.ops.dcnv3 import choose_backend

    found = detect_hardware()
    if assume is not None:
        found = assumed_hardware(assume, cores=found.cores, memory_bytes=found.memory_bytes)
    # Of another machine nobody knows what is installed there.
    plan = make_plan(found, has_deepspeed=None if assume is None else True)
    free = shutil.disk_usage(".").free
    chosen = choose_backend(choose_device(found).name)
    operator = Choice(chosen.name, chosen.reason)
    if as_json:
        typer.echo(json.dumps(json_values(found, plan, free, {"dcnv3": operator}), indent=1))
    else:
        typer.echo(draw_box(found, plan, free, {"DCNv3": operator}))
