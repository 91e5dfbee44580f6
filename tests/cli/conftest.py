"""Commands in this process."""

import sys

import pytest

from mcbrain.cli import main


@pytest.fixture
def mcbrain(monkeypatch, capsys):
    """Run a command in this process: its exit status, standard output and standard error."""

    def run(*arguments):
        # Signals belong to the test runner.
        monkeypatch.setattr("signal.signal", lambda *_: None)
        monkeypatch.setattr(sys, "argv", ["mcbrain", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return run
