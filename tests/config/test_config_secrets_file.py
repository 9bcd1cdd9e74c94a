"""Keys from the environment and from ~/.env."""

import pytest

from cxrkit.config.secrets_file import secret


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("A_KEY", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A_KEY=abc", "abc"),
        ("export A_KEY=abc # mine", "abc"),
        ("A_KEY = 'a b#c'", "a b#c"),
        ('A_KEY="abc"', "abc"),
        ("A_KEY=", None),
        ("# A_KEY=abc", None),
        ("ANOTHER_A_KEY=abc", None),
        ("A_KEY=old\nA_KEY=new", "new"),
    ],
)
def test_lines_are_read_as_a_shell_does(line, value, home):
    (home / ".env").write_text(f"OTHER=1\n{line}\n")
    assert secret("A_KEY") == value


def test_the_environment_goes_first(home, monkeypatch):
    (home / ".env").write_text("A_KEY=file\n")
    monkeypatch.setenv("A_KEY", "environment")
    assert secret("A_KEY") == "environment"


def test_without_a_file_there_is_none(home):
    assert secret("A_KEY") is None
