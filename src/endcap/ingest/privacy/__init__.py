"""Privacy at the door of ingest: what of a person reaches a snapshot, and in which form.

The pseudonyms themselves are made in `endcap.schema.pseudonym`, as serving needs them too.
"""
