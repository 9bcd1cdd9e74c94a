"""Keys and tokens: from the environment, or from the file `.env` of the home folder; never from settings."""

import os
import re
from pathlib import Path

_LINE = re.compile(r"""\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^\s#]*)""")


def secret(name: str) -> str | None:
    """Gives the value of a key such as `WANDB_API_KEY` or `HF_TOKEN`; None where there is none.

    Args:
        name: of the variable; the environment goes before `~/.env`, whose lines are `NAME=value`.
    """
    value = os.environ.get(name, "").strip()
    return value or _of_file(name)


def _of_file(name: str) -> str | None:
    try:
        text = (Path.home() / ".env").read_text(encoding="utf-8")
    except (OSError, ValueError, RuntimeError):
        # Most have no such file, and some no home.
        return None
    found = None
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is not None and match["name"] == name:
            # As in a shell, the last one counts.
            found = match["value"].strip("\"'") or None
    return found
