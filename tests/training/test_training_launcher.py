"""What the launcher ends with, from the exit codes of its processes."""

import signal

import pytest

from cxrkit.training.launcher import exit_code_of

TERM, KILL, WARNED = -signal.SIGTERM, -signal.SIGKILL, -signal.SIGUSR1


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({0: 75, 1: 75}, 75),
        # torchrun ends the others of one that ended first.
        ({0: 75, 1: TERM}, 75),
        ({0: 2, 1: TERM}, 2),
        ({0: 1, 1: 70}, 1),
        ({0: 70, 1: KILL}, 70),
        ({0: 75, 1: KILL}, 70),
        ({0: TERM, 1: TERM}, 70),
        # SLURM's warning came before the training listened.
        ({0: WARNED, 1: WARNED}, 138),
        ({0: WARNED, 1: TERM}, 138),
        ({0: WARNED, 1: 75}, 138),
        ({0: WARNED, 1: 2}, 2),
    ],
)
def test_one_code_for_all(codes, expected):
    assert exit_code_of(codes) == expected


def test_a_process_that_could_not_say_anything_is_named(capsys):
    exit_code_of({0: 70, 1: KILL})
    assert capsys.readouterr().err == "error: process 1 was ended by SIGKILL\n"
