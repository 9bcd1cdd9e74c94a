"""The verb `hardware`: what this machine has, and what is chosen because of it."""

import typer


def hardware() -> None:
    """Show what this machine has, and what is chosen because of it, each with its reason."""
    from cxrkit.hardware import choose_device, describe_hardware, detect_hardware
    from cxrkit.models.ops.dcnv3 import choose_backend

    found = detect_hardware()
    typer.echo(describe_hardware(found))
    operator = choose_backend(choose_device(found).name)
    typer.echo(f"dcnv3      {operator.name}: {operator.reason}")
