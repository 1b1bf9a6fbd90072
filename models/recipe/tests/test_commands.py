from __future__ import annotations

import subprocess
import sys

import pytest

from recipe.commands import COMMANDS, run_command
from recipe.paths import RECIPE_ROOT


def recipe(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "recipe", *arguments], cwd=RECIPE_ROOT, capture_output=True, text=True)


def test_the_help_lists_every_command_with_what_it_does() -> None:
    answer = recipe("--help")
    assert answer.returncode == 0
    summaries = {line.split()[0]: line.split(maxsplit=1)[1:] for line in answer.stdout.splitlines() if line.startswith("  ")}
    assert summaries.keys() == COMMANDS.keys()
    assert all(summaries.values()), "a command without a summary"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run_command(name, ["--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m recipe {name}")


def test_an_unknown_command_and_a_missing_file_are_answered_in_a_sentence() -> None:
    unknown = recipe("trian")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("python -m recipe has no command 'trian'.")
    missing = recipe("corpus", "--packages", "nothing.json")
    assert missing.returncode == 1
    assert "Traceback" not in missing.stderr
    assert "nothing.json" in missing.stderr
