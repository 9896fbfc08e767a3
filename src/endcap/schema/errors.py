"""Every error that Endcap raises on purpose.

    EndcapError
    ├── SettingsError     a setting, flag or environment variable is wrong         exit 2
    ├── DataError         input data or a snapshot is wrong                        exit 3
    ├── DownloadError     a named data set could not be fetched                    exit 4
    ├── BundleError       a bundle is missing, corrupt or of another format        exit 5
    ├── StoreError        a back end is unknown, unreachable or lacks its client   exit 6
    ├── ContractError     a snapshot breaks the data contract it is held to        exit 7
    ├── GateError         a candidate did not pass the gate                        exit 8
    ├── EventError        an event is malformed; names the field                   exit 3
    ├── NotFittedError    a model was asked before it was fitted                   exit 1
    └── RankingError      a model returned lists that break its promise            exit 1

Each says what is wrong, where, and how to mend it.
"""

from __future__ import annotations


class EndcapError(Exception):
    """An error with a cause a person can mend.

    Args:
        what: what is wrong, a sentence without a full stop.
        where: the file, line, setting or URL (secrets redacted).
        mend: what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what, self.where, self.mend = what, where, mend
        super().__init__(what)

    def __str__(self) -> str:
        text = self.what
        if self.where:
            text += f" ({self.where})"
        if self.mend:
            text += f". {self.mend}"
        return text


class SettingsError(EndcapError):
    """A setting, a flag or an environment variable is wrong."""

    exit_code = 2


class DataError(EndcapError):
    """Input data or a snapshot cannot be used."""

    exit_code = 3


class DownloadError(EndcapError):
    """A named data set could not be fetched."""

    exit_code = 4


class BundleError(EndcapError):
    """A bundle is missing, corrupt or of a format this version cannot read."""

    exit_code = 5


class StoreError(EndcapError):
    """A back end is unknown, unreachable, or its client library is not installed."""

    exit_code = 6


class ContractError(EndcapError):
    """A snapshot breaks the data contract that it is held to, so it is not put to use."""

    exit_code = 7


class GateError(EndcapError):
    """A candidate did not pass the gate, so it should not take the place of the live model."""

    exit_code = 8


class EventError(EndcapError):
    """An event is malformed; `where` is the name of the field."""

    exit_code = 3


class NotFittedError(EndcapError):
    """A model was asked for an answer before `fit` or `load`."""


class RankingError(EndcapError):
    """A model returned ranked lists that break the promise of `Recommender`."""
