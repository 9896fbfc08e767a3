"""Made-up shops of any size, written as the field's data sets are; for measuring speed and memory.

Not for judging models: nothing that is learnt here says how good anything is.
"""
