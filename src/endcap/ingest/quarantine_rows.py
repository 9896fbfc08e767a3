"""Makes the quarantine of a run: every row that was put aside, why, and what stood in the file.

Reading it again, for people, is for `quarantine`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from endcap.ingest.arrive import Arrival
from endcap.ingest.clean import SEPARATOR
from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import fill, literal
from endcap.ingest.people import Door
from endcap.ingest.readers import RawTable

MAX_RAW_CHARS = 1 << 20
BATCH_ROWS = 100_000
BATCH_CHARS = 1 << 25  # records may be long

# A row that was refused is not looked at again, so no row is both bad and set aside.
ASIDE_OF_FILE = """
    SELECT position, file_row, why FROM $bad
    UNION ALL
    SELECT position, position - $base AS file_row, why FROM $aside
    WHERE position > $base AND position <= $base + $n_rows
"""
OF_FILE = """
    SELECT
        $source AS source, refused.file_row + $header AS row_number,
        string_split(why, $separator) AS reasons, raw, position, why
    FROM $refused AS refused LEFT JOIN $records AS records USING (file_row)
"""
NOTHING = {
    "source": ("VARCHAR", ()),
    "row_number": ("BIGINT", ()),
    "reasons": ("VARCHAR[]", ()),
    "raw": ("VARCHAR", ()),
    "position": ("BIGINT", ()),
    "why": ("VARCHAR", ()),
}


def quarantine(compute: Compute, arrivals: Sequence[Arrival], aside: str, *, door: Door) -> None:
    """Make the table `quarantine`: source, row_number, reasons, raw, position, why.

    Args:
        compute: holds the tables.
        arrivals: the files, each with its table of refused rows.
        aside: a table (position, why) of the good rows that were put aside all the same.
        door: says how much of a record may stay.

    Cost: looks up the refused records in their files; nothing when there are none.
    """
    parts = []
    for nth, arrival in enumerate(arrivals):
        refused, records = f"refused_{nth}", f"records_{nth}"
        compute.make(
            refused,
            fill(
                ASIDE_OF_FILE,
                bad=arrival.bad,
                aside=aside,
                base=str(arrival.base),
                n_rows=str(arrival.n_rows),
            ),
        )
        if not compute.rows(f"SELECT 1 FROM {refused} LIMIT 1"):
            continue
        _put_records(compute, records, arrival.table, refused, arrival=arrival, door=door)
        name = arrival.table.file.original.name
        parts.append(
            fill(
                OF_FILE,
                source=literal(name),
                header=str(arrival.table.n_header_rows),
                separator=literal(SEPARATOR),
                refused=refused,
                records=records,
            )
        )
    if parts:
        compute.make("quarantine", " UNION ALL ".join(parts))
    else:
        compute.put("quarantine", NOTHING)


def catalogue_quarantine(compute: Compute, table: RawTable | None, bad: str) -> None:
    """Make the table `quarantine_items` of the refused lines of a catalogue.

    Args:
        compute: holds the tables.
        table: the catalogue; None when there is none.
        bad: a table (file_row, why); made, empty, when there is no catalogue.
    """
    if table is None:
        compute.put(bad, {"file_row": ("BIGINT", ()), "why": ("VARCHAR", ())})
    if table is None or not compute.rows(f"SELECT 1 FROM {bad} LIMIT 1"):
        compute.put("quarantine_items", NOTHING)
        return
    _put_records(compute, "records_items", table, bad)
    compute.make(
        "quarantine_items",
        fill(
            OF_FILE.replace("position, ", ""),
            source=literal(table.file.original.name),
            header=str(table.n_header_rows),
            separator=literal(SEPARATOR),
            refused=bad,
            records="records_items",
        ),
    )


def reason_counts(compute: Compute, table: str) -> Counter[str]:
    """Return how many rows of a table were put aside for each reason; a row may have several."""
    found = compute.rows(f"SELECT why, count(*) FROM {table} GROUP BY why")
    counts: Counter[str] = Counter()
    for why, n_rows in sorted(found):
        for reason in why.split(SEPARATOR):
            counts[reason] += int(n_rows)
    return counts


def _put_records(
    compute: Compute,
    name: str,
    table: RawTable,
    refused: str,
    *,
    arrival: Arrival | None = None,
    door: Door | None = None,
) -> None:
    """Make the table `name` (file_row, raw) of the refused records of a file."""
    rows: list[int] = []
    texts: list[str | None] = []
    n_parts = n_chars = 0
    for row, record in compute.records(table, f"SELECT file_row FROM {refused}"):
        text = record
        if arrival is not None and door is not None:
            text = door.scrub(record, arrival.roles.columns)
        rows.append(row)
        texts.append(None if text is None else text[:MAX_RAW_CHARS])
        n_chars += len(texts[-1] or "")
        if len(rows) == BATCH_ROWS or n_chars > BATCH_CHARS:
            compute.put(f"{name}_{n_parts}", _columns(rows, texts))
            rows, texts, n_parts, n_chars = [], [], n_parts + 1, 0
    compute.put(f"{name}_{n_parts}", _columns(rows, texts))
    parts = " UNION ALL ".join(f"SELECT * FROM {name}_{n}" for n in range(n_parts + 1))
    compute.make(name, parts)
    for n in range(n_parts + 1):
        compute.drop(f"{name}_{n}")


def _columns(
    rows: Sequence[int], texts: Sequence[str | None]
) -> dict[str, tuple[str, Sequence[object]]]:
    return {"file_row": ("BIGINT", rows), "raw": ("VARCHAR", texts)}
