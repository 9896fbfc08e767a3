"""The decisions of gates on disk, one JSON file each; a file is never written twice."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from endcap import __version__
from endcap.evaluation.verdicts.gate import Decision
from endcap.schema.artefacts import commit_hash, write_atomically
from endcap.schema.errors import DataError, GateError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class GateRecord:
    """A decision with when and by what it was made.

    decided_at: UTC, ISO 8601. commit: of the code, None outside a checkout.
    passed, reasons: of the decision, so that a reader of the file need not work them out.
    """

    format: int
    decided_at: str
    endcap_version: str
    commit: str | None
    passed: bool
    reasons: tuple[str, ...]
    decision: Decision

    def require(self) -> None:
        """Accept a candidate that passed.

        Raises:
            GateError: it did not; says why.
        """
        if not self.passed:
            raise GateError(
                f"{self.decision.candidate} did not pass: {'; '.join(self.reasons)}",
                mend="Keep the live model",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; a number that is not known is None."""
        record: dict[str, Any] = _RECORD.dump_python(self, mode="json")
        return record


_RECORD = TypeAdapter(GateRecord)


def record_of(decision: Decision, *, now: datetime | None = None) -> GateRecord:
    """Return the record of a decision that was made now."""
    return GateRecord(
        format=FORMAT,
        decided_at=(now or datetime.now(UTC)).isoformat(timespec="seconds"),
        endcap_version=__version__,
        commit=commit_hash(),
        passed=decision.passed,
        reasons=decision.reasons,
        decision=decision,
    )


def keep_record(record: GateRecord, *, root: Path) -> Path:
    """Write the record under `root` by its time and candidate, and return the file."""
    root.mkdir(parents=True, exist_ok=True)
    moment = datetime.fromisoformat(record.decided_at).astimezone(UTC)
    candidate = re.sub(r"[^\w.-]+", "-", record.decision.candidate)
    stem = f"{moment:%Y%m%dT%H%M%SZ}-{candidate}"
    path, n_before = root / f"{stem}.json", 0
    while path.exists():
        n_before += 1
        path = root / f"{stem}-{n_before}.json"
    write_atomically(path, json.dumps(record.to_dict(), indent=2, allow_nan=False) + "\n")
    return path


def read_record(path: Path) -> GateRecord:
    """Return the record of a file.

    Raises:
        DataError: it is no record of a gate, or of another format.
    """
    try:
        record = _RECORD.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError("this is no record of a gate", where=str(path)) from error
    if record.format != FORMAT:
        raise DataError(f"the record is of format {record.format}, not {FORMAT}", where=str(path))
    return record
