"""How tests run a command: as a shell would, but in this process."""

import re

import pytest

from endcap.cli import main


def run(monkeypatch, capsys, *arguments):
    """Run `endcap` as a shell would and return its exit code and both outputs."""
    monkeypatch.setattr("sys.argv", ["endcap", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    return stopped.value.code, said.out, re.sub(r"\s+", " ", said.err)
