"""Back ends for the append-only log; each is an `EventLog` of `schema/protocols.py`.

Independent of each other: open one by URL with `registry.open_events`.
"""
