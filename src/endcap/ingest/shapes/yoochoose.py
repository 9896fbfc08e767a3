"""YooChoose's clicks and purchases, RecSys Challenge 2015; also as session-rec prepares them."""

from __future__ import annotations

from endcap.ingest.shapes.shape import Dialect, Holds, Pattern
from endcap.ingest.staging import Format
from endcap.schema.columns import Kind

NUMBER = r"[0-9]+"
ISO_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
PLAIN = Dialect(format=Format.CSV, delimiter=",", has_header=False, quote="")

PATTERNS = (
    Pattern(
        name="yoochoose-buys",
        title="purchases of YooChoose: session, time, item, price, quantity",
        holds=Holds.INTERACTIONS,
        cells=(NUMBER, ISO_TIME, NUMBER, NUMBER, NUMBER),
        mapping={"user_id": "#1", "ts": "#2", "item_id": "#3"},
        kind=Kind.PURCHASE,
        dialect=PLAIN,
        notes=(
            "Price and quantity are 0 in about half of the rows, for unknown, so neither is read: "
            "each row is one piece at an unknown price.",
        ),
    ),
    Pattern(
        name="yoochoose-clicks",
        title="clicks of YooChoose: session, time, item, category",
        holds=Holds.INTERACTIONS,
        cells=(NUMBER, ISO_TIME, NUMBER, r"[0-9]+|S"),
        mapping={"user_id": "#1", "ts": "#2", "item_id": "#3"},
        kind=Kind.VIEW,
        dialect=PLAIN,
        notes=(
            "A session stands for a user. The category of a click is a number, S for a special "
            "offer or 0 for unknown, and is not read.",
        ),
    ),
    Pattern(
        name="session-rec",
        title="clicks in the form of session-rec",
        holds=Holds.INTERACTIONS,
        needs=("sessionid", "itemid", "time"),
        without=("userid", "user"),
        mapping={"user_id": "sessionid", "item_id": "itemid", "ts": "time"},
        kind=Kind.VIEW,
        tells=(
            ("sessionid", "stands for a user"),
            ("split", "is not used: test sessions are read like the others"),
        ),
    ),
)
