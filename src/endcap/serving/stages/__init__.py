"""Pure functions over candidates: retrieve, filter, blend, diversify, lay out.

Only `retrieve` adds items; the others drop, re-score and reorder. None reads a clock or a store.
"""
