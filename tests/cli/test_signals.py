"""Signals of terminals and batch systems end a command with a status that names them."""

import signal
import subprocess
import sys

import pytest

# A command whose work is to be hit by a signal.
PROGRAM = """
import signal, sys
import mcbrain.cli as cli

def status():
    try:
        signal.raise_signal(int(sys.argv[1]))
    except KeyboardInterrupt:
        return cli._interruption()
    return 0

cli._status = status
cli.main()
"""
ENDINGS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")


def _status_after(number, ignored=False):
    # What a command was begun with, whatever the tests before this one have left to its parent.
    first = signal.SIG_IGN if ignored else signal.SIG_DFL
    command = [sys.executable, "-c", PROGRAM, str(int(number))]
    return subprocess.run(
        command, check=False, preexec_fn=lambda: signal.signal(number, first)
    ).returncode


@pytest.mark.parametrize("name", ENDINGS)
def test_a_signal_that_ends_a_command_is_its_status(name):
    number = getattr(signal, name)
    assert _status_after(number) == 128 + number


def test_what_nohup_ignores_is_ignored():
    assert _status_after(signal.SIGHUP, ignored=True) == 0
