"""One classifier under several label policies: trained one after the other, then side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxrkit.errors import SettingsError

if TYPE_CHECKING:
    from cxrkit.cli.terminal import Terminal
    from cxrkit.config import ClassifySettings

KEY = "model.label_policy"


def settings_of_policies(
    policies: Sequence[str], config: Path | None, overrides: Mapping[str, object]
) -> dict[str, "ClassifySettings"]:
    """Gives the settings of each policy's run, whose folder is named after it inside `training.output_dir`.

    So is its repository on the hub: `user/name-policy`.

    Args:
        policies: their names.
        config: settings file.
        overrides: what the command line says.

    Raises:
        SettingsError: a policy is unknown or named twice, or `model.label_policy` is set beside them.
    """
    from cxrkit.config import load_settings

    if KEY in overrides:
        raise SettingsError("command line", [f"{KEY}: --label_policies already says which"])
    if len(set(policies)) != len(policies):
        raise SettingsError("command line", [f"--label_policies: one is named twice in {','.join(policies)}"])
    found: dict[str, Any] = {}
    for policy in policies:
        settings = load_settings(config, "classify", {**overrides, KEY: policy})
        output_dir = settings.training.output_dir / policy
        name = settings.training.hub_model_id
        own = {"output_dir": output_dir, "hub_model_id": None if name is None else f"{name}-{policy}"}
        training = settings.training.model_copy(update=own)
        found[policy] = settings.model_copy(update={"training": training})
    return found


def train_policies(settings: Mapping[str, "ClassifySettings"], terminal: "Terminal") -> None:
    """Trains each run, writes and prints the table.

    Args:
        settings: of each run, by policy.
        terminal: shows progress and the table.
    """
    from cxrkit.cli.tables import policies_table
    from cxrkit.evaluation.policies import TABLE_FILE, compare_policies
    from cxrkit.training.classify import train_classifier
    from cxrkit.training.run_folder import is_first_process

    models = {}
    for policy, own in settings.items():
        terminal.note(f"label policy {policy}")
        with terminal.bars() as bars:
            models[policy] = train_classifier(own, progress=bars.report).best_model
    if not is_first_process():
        return
    first = next(iter(settings.values()))
    table = compare_policies(models, first)
    path = first.training.output_dir.parent / TABLE_FILE
    table.write(path)
    terminal.say(
        f"AUROC on the validation split ({table.n_studies:,} studies, {table.n_patients:,} patients); "
        "blank and -1 count as 0 for every policy"
    )
    terminal.results.print(policies_table(table.columns, table.rows))
    terminal.say(str(path))
    for policy, model in models.items():
        terminal.say(f"next: cxrkit evaluate --model_path {model} --output_dir evaluation_results/{policy}")
