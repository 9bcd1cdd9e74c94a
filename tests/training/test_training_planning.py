"""What a training will take: counted, tried, put into words; and a budget in place of epochs."""

import dataclasses
import logging

import pytest
import torch

from cxrkit.cli import main
from cxrkit.config import load_settings
from cxrkit.errors import CxrkitError, SettingsError
from cxrkit.hardware import GIBIBYTE, assumed_hardware
from cxrkit.training.classify import classifier_job, train_classifier
from cxrkit.training.job import training_batches
from cxrkit.training.planning import (
    Room,
    Sizes,
    Trial,
    budgeted,
    first_updates,
    make_forecast,
    sizes_of,
    try_updates,
)
from cxrkit.training.planning.budget import updates_within
from cxrkit.training.planning.forecast import training_hours

TINY = {
    "data.image_size": 32, "data.image_store_size": 96, "data.max_samples": 20,
    "model.visual_backbone": "resnet10t", "model.pretrained": False,
    "training.batch_size_per_gpu": 4, "training.gradient_accumulation_steps": 2,
    "training.dataloader_num_workers": 0, "training.gradient_checkpointing": False, "wandb.enabled": False,
    "training.num_epochs": 3, "training.eval_steps": 2, "training.save_total_limit": 2,
    "training.early_stopping_patience": 0,
}  # fmt: skip
SIZES = Sizes(
    processes=4, films_per_update=256, updates_per_epoch=100, updates=2000, validations=20,
    validation_films=3000, validated_kinds=1, parameters=10**8, trained=10**8, weight_bytes=4 * 10**8,
    checkpoint_bytes=12 * 10**8, disk_bytes=8 * 10**9, waiting_batches=64,
)  # fmt: skip
TRIAL = Trial(6, 3.6, 0.01, 2**20, 8 * GIBIBYTE, None)
ROOM = Room(10**12, 2**30, 24 * GIBIBYTE, "L4")


def settings_of(workspace, run_dir, **more):
    paths = {"data.workspace": workspace, "training.output_dir": run_dir}
    return load_settings(None, "classify", TINY | paths | more)


def job_of(workspace, tmp_path, **more):
    torch.manual_seed(0)
    return classifier_job(settings_of(workspace, tmp_path / "run", **more))


def test_sizes_are_those_of_the_run(workspace, tmp_path):
    job = job_of(workspace, tmp_path, **{"training.ema_decay": 0.9})
    sizes = sizes_of(job, training_batches(job), 1)
    run = train_classifier(job.settings)
    checkpoint = run.run_dir / "checkpoint-6"
    # 20 films in batches of 4, of which an update takes two.
    assert (sizes.updates_per_epoch, sizes.updates, sizes.films_per_update) == (2, 6, 8)
    measured = sum(path.stat().st_size for path in checkpoint.iterdir())
    assert sizes.checkpoint_bytes == pytest.approx(measured, rel=0.02)
    assert (run.best_model / "model.safetensors").stat().st_size == pytest.approx(
        sizes.weight_bytes, rel=0.02
    )
    total = sum(path.stat().st_size for path in run.run_dir.rglob("*") if path.is_file())
    assert total <= sizes.disk_bytes
    lines = (run.run_dir / "metrics.jsonl").read_text().count("eval_loss")
    assert sizes.validations == lines


def test_a_trial_leaves_no_trace(workspace, tmp_path):
    job = job_of(workspace, tmp_path)
    before = {name: value.clone() for name, value in job.module.state_dict().items()}
    ticks = iter(range(10_000))
    trial = try_updates(job, training_batches(job), updates=2, clock=lambda: float(next(ticks)))
    after = job.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(weight.grad is None for weight in job.module.parameters())
    assert trial.updates == 2
    # Each of two batches is asked for and there at once: 2 of the 5 ticks of an update.
    assert trial.seconds_per_update == 5.0
    assert trial.data_wait_share == 0.4
    assert trial.activation_bytes > 4 * 3 * 32 * 32 * 4


def test_twice_the_films_keep_twice_as_much(workspace, tmp_path):
    kept = []
    for films in (4, 8):
        job = job_of(workspace, tmp_path, **{"training.batch_size_per_gpu": films})
        kept.append(try_updates(job, training_batches(job), updates=1).activation_bytes)
    assert kept[1] == pytest.approx(2 * kept[0], rel=0.05)


def test_time_is_that_of_updates_and_validations():
    # 2,000 updates of 3.6 s, and 20 x 3,000 films, alone in one of four processes, at a third of the time.
    expected = 2.0 + 20 * 3000 * (3.6 / 256) * 4 / 3 / 3600
    assert training_hours(SIZES, TRIAL) == pytest.approx(expected)


def test_weights_and_their_average_are_validated_both():
    alone = training_hours(dataclasses.replace(SIZES, validations=0), TRIAL)
    once = training_hours(SIZES, TRIAL) - alone
    both = training_hours(dataclasses.replace(SIZES, validated_kinds=2), TRIAL) - alone
    assert both == pytest.approx(2 * once)


def test_a_trial_of_a_batch_without_a_finite_loss_leaves_the_weights(workspace, tmp_path):
    job = job_of(workspace, tmp_path)
    before = {name: value.clone() for name, value in job.module.state_dict().items()}
    plain, calls = job.module.forward, []

    def forward(*given):
        outputs = plain(*given)
        calls.append(1)
        return {**outputs, "loss": outputs["loss"] * float("nan")} if len(calls) == 2 else outputs

    job.module.forward = forward
    try_updates(job, training_batches(job), updates=2)
    assert all(torch.equal(value, before[name]) for name, value in job.module.state_dict().items())


def test_a_budget_shorter_than_an_update_with_its_validation_says_how_long_both_take(workspace, tmp_path):
    job = job_of(workspace, tmp_path, **{"training.budget_hours": 60 / 3600})
    job = dataclasses.replace(job, validation_films=20_000)
    with pytest.raises(SettingsError) as told:
        budgeted(job, training_batches(job), dataclasses.replace(TRIAL, seconds_per_update=0.5))
    assert "found 60 s, expected more than 8 min, which one update and its validation take" in str(told.value)


def test_a_budget_of_another_machine_is_refused(workspace, tmp_path, capsys):
    words = ["plan", "classify", "--workspace", str(workspace), "--output_dir", str(tmp_path / "run")]
    words += [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]
    with pytest.raises(SystemExit, match="2"):
        main([*words, "--assume", "4x L4 24GB", "--budget", "2h"])
    assert "can only be measured on that machine" in " ".join(capsys.readouterr().err.split())


def test_a_budget_is_used_and_not_exceeded():
    for hours in (0.5, 2.0, 7.3):
        updates = updates_within(hours, SIZES, TRIAL)
        at = {
            count: training_hours(
                dataclasses.replace(SIZES, updates=count, validations=-(-count // 100)), TRIAL
            )
            for count in (updates, updates + 1)
        }
        assert at[updates] <= hours < at[updates + 1]


def test_a_run_with_a_budget_is_the_run_with_so_many_updates(workspace, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        budget = train_classifier(
            settings_of(workspace, tmp_path / "a", **{"training.budget_hours": 4 / 3600})
        )
    assert "updates fit into 4 s" in caplog.text
    lines = (budget.run_dir / "metrics.jsonl").read_text()
    found = load_settings(budget.run_dir / "config.json", "classify", {}).training.max_steps
    assert 1 <= found < 1000
    plain = train_classifier(settings_of(workspace, tmp_path / "b", **{"training.max_steps": found}))
    assert (plain.run_dir / "metrics.jsonl").read_text() == lines
    weights = [(run.best_model / "model.safetensors").read_bytes() for run in (budget, plain)]
    assert weights[0] == weights[1]


def test_a_run_that_goes_on_keeps_its_number_of_updates(workspace, tmp_path):
    chosen = {"training.budget_hours": 4 / 3600}
    train_classifier(settings_of(workspace, tmp_path / "run", **chosen))
    before = load_settings(tmp_path / "run/config.json", "classify", {}).training.max_steps
    resumed = settings_of(
        workspace,
        tmp_path / "run",
        **{"training.budget_hours": 9.0, "training.resume_from_checkpoint": "auto"},
    )
    train_classifier(resumed)
    newest = max(int(path.name.split("-")[1]) for path in (tmp_path / "run").glob("checkpoint-*"))
    assert newest == before


def test_a_budget_of_nothing_is_refused(workspace, tmp_path):
    job = job_of(workspace, tmp_path, **{"training.budget_hours": 1e-6})
    with pytest.raises(SettingsError, match="which one update and its validation take"):
        budgeted(job, training_batches(job), TRIAL)


def test_all_fits_in_silence():
    forecast = make_forecast(load_settings(None, "vqa", {}), SIZES, TRIAL, ROOM)
    assert forecast.warnings == ()
    assert forecast.rows["time"].value.startswith("2 h ")
    assert "3.60 s per update, median of 6 real ones" in forecast.rows["time"].reason


@pytest.mark.parametrize(
    ("room", "told"),
    [
        ({"disk_bytes": 10**9}, "--output_dir"),
        ({"shared_bytes": 2**24}, "--shm-size"),
        ({"gpu_bytes": 8 * GIBIBYTE}, "batches of 11 films fit"),
        ({"gpu_bytes": 2 * GIBIBYTE}, "take a smaller model"),
    ],
)
def test_what_would_go_wrong_is_told_with_what_to_do(room, told):
    forecast = make_forecast(load_settings(None, "vqa", {}), SIZES, TRIAL, dataclasses.replace(ROOM, **room))
    (warning,) = forecast.warnings
    assert told in warning


def test_another_machine_divides_the_optimizer_and_has_no_time():
    four = assumed_hardware("4x L4 24GB", cores=48, memory_bytes=None)
    settings = load_settings(None, "vqa", {})
    there = make_forecast(settings, SIZES, TRIAL, ROOM, four)
    here = make_forecast(settings, SIZES, TRIAL, ROOM)
    assert (there.hours, there.rows["strategy"].value) == (None, "DeepSpeed ZeRO-2")
    # Gradients and moments, 12 bytes per weight, a quarter each; half of the activations in bf16.
    assert here.rows["memory"].value == f"{(1.6 * 10**9 + 8 * GIBIBYTE) / GIBIBYTE:.1f} GiB"
    assert there.rows["memory"].value == f"{(0.7 * 10**9 + 4 * GIBIBYTE) / GIBIBYTE:.1f} GiB"


def test_the_first_updates_tell_what_is_to_come(workspace, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        train_classifier(settings_of(workspace, tmp_path / "run", **{"training.max_steps": 12}))
    told = [line for line in caplog.messages if line.startswith(("updates:", "time:", "checkpoints:"))]
    assert [line.partition(":")[0] for line in told] == ["updates", "time", "checkpoints"]
    assert told[0].startswith("updates: 12 (training.max_steps, 8 films each")


def test_a_full_disk_is_told_before_the_first_update(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(first_updates, "find_room", lambda _: dataclasses.replace(ROOM, disk_bytes=1000))
    with pytest.raises(CxrkitError, match="no room for a checkpoint"):
        train_classifier(settings_of(workspace, tmp_path / "run"))
    assert not list((tmp_path / "run").glob("checkpoint-*"))


def test_the_verb_shows_a_plan_and_keeps_nothing(workspace, tmp_path, capsys):
    sets = [
        word
        for key, value in TINY.items()
        for word in ("--set", f"{key}={str(value).lower() if isinstance(value, bool) else value}")
    ]
    words = ["plan", "classify", "--workspace", str(workspace), "--output_dir", str(tmp_path / "run"), *sets]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--updates", "1", "--assume", "4x L4 24GB"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "DeepSpeed ZeRO-2" in shown
    assert "L4 has 24.0 GiB" in shown
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", ["2", "two hours", "", "h", "2d", "-1h"])
def test_a_budget_that_is_no_time_is_told(text, workspace, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "classify", "--workspace", str(workspace), "--budget", text])
    assert ended.value.code == 2
    assert "expected a time such as 2h" in capsys.readouterr().err
