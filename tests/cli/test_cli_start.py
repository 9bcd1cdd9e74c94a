"""The command line starts fast, tells what it can do, and ends with the documented exit codes."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cxrkit.cli import main
from cxrkit.errors import CxrkitError

ROOT = Path(__file__).parents[2]
VERBS = (
    ["synth"],
    ["prepare"],
    ["analyze"],
    ["train", "vqa"],
    ["train", "classify"],
    ["evaluate"],
    ["push"],
    ["hardware"],
)
HEAVY = (
    "matplotlib",
    "numpy",
    "polars",
    "pyarrow",
    "pydantic",
    "scipy",
    "sklearn",
    "timm",
    "torch",
    "transformers",
)


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def test_help_imports_nothing_heavy():
    program = (
        "import sys\nfrom cxrkit.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stderr.strip() == "[]"


def test_help_is_fast():
    # 0.6 s is the promise on an idle machine; the best of five bears a busy one.
    def seconds() -> float:
        begin = time.perf_counter()
        program = "from cxrkit.cli import main; main(['--help'])"
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)
        return time.perf_counter() - begin

    assert min(seconds() for _ in range(5)) < 0.6


@pytest.mark.parametrize("verb", [[], *VERBS, ["demo"], ["config", "show"]], ids=" ".join)
def test_every_verb_explains_itself(verb, capsys):
    code, out, _ = run([*verb, "--help"], capsys)
    assert code == 0
    assert "Usage: cxrkit" in out


@pytest.mark.parametrize("verb", [[], *VERBS, ["config", "show"]], ids=" ".join)
def test_help_is_whole_at_80_columns(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run([*verb, "--help"], capsys)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert not re.search(r"[a-z]\.\.\.$|…", out, re.MULTILINE)


def test_version(capsys):
    code, out, _ = run(["--version"], capsys)
    assert (code, out.split()[0]) == (0, "cxrkit")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "vqa", "--bacth_size", "4"], "--batch_size"),
        (["train", "vqa", "--epochs", "many"], "--epochs"),
        (["trian"], "train"),
        (["synth"], "OUT"),
        (["evaluate"], "--model_path"),
        (["analyze", "extra"], "extra"),
        (["train", "vqa", "--disable_wandb", "maybe"], "maybe"),
        (["evaluate", "--model_path", "x", "--split", "val"], "validate"),
        (["evaluate", "--model_path", "x", "--explanation_questions", "0"], "--explanation_questions"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_says_what_is_right(arguments, told, capsys):
    code, _, err = run(arguments, capsys)
    assert code == 2
    assert told in err


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "cxrkit", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.startswith("cxrkit ")


def test_a_deepspeed_file_that_is_not_there(capsys):
    code, _, err = run(["train", "vqa", "--deepspeed", "nowhere.json"], capsys)
    assert code == 2
    assert "nowhere.json" in err


@pytest.mark.parametrize("script", ["setup_data.py", "analyze_data.py", "train_mimic_cxr.py", "evaluate.py"])
def test_historical_scripts_tell_the_closest_option(script):
    environment = os.environ | {"COLUMNS": "200"}
    command = [sys.executable, ROOT / script, "--confg", "x"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert result.returncode == 2
    assert "--config" in result.stderr


@pytest.mark.parametrize(
    ("failure", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "interrupted: nothing half-written is used; run the same command again"),
        (
            OSError(28, "No space left on device", "/data/film.jpg"),
            2,
            "/data/film.jpg: No space left on device",
        ),
        (CxrkitError("a problem", expected="this", found="that", next_step="do so"), 2, "  next      do so"),
    ],
    ids=["interrupted", "disk full", "a mistake"],
)
def test_failures_inside_a_command_end_with_their_code(failure, code, told, capsys, monkeypatch, tmp_path):
    def fail(*arguments: object, **named: object) -> None:
        raise failure

    monkeypatch.setattr("cxrkit.data.synthetic.write_dataset", fail)
    ended, _, err = run(["synth", str(tmp_path / "data")], capsys)
    assert ended == code
    assert told in err
    assert "Traceback" not in err


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_lists_its_targets():
    result = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    for target in ("setup", "check", "test", "demo", "clean"):
        assert f"make {target} " in result.stdout


def test_hardware_says_which_way_computes_the_operator_and_why(capsys, monkeypatch):
    monkeypatch.delenv("CXRKIT_DCNV3_BACKEND", raising=False)
    code, shown, _ = run(["hardware"], capsys)
    assert code == 0
    assert re.search(r"DCNv3: +(cpu|triton) .*\n.*(machine code made by numba|fused kernel)", shown)
    monkeypatch.setenv("CXRKIT_DCNV3_BACKEND", "reference")
    assert re.search(r"DCNv3: +reference .*\n.*asked for", run(["hardware"], capsys)[1])
    monkeypatch.setenv("CXRKIT_DCNV3_BACKEND", "nonsense")
    code, _, told = run(["hardware"], capsys)
    assert code == 2
    assert "'nonsense' (from CXRKIT_DCNV3_BACKEND)" in told
