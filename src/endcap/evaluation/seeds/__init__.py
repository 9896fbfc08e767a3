"""The protocols of two published systems, exactly, each beside scores that know nothing.

`seed-1` is a two-tower network on labels made of the order of ratings; `seed-2` is Spark's ALS on
ratings, judged by the order of a user's own held-out rows. They are here to be compared with, and
to show what their numbers are worth; the protocol to report is the cut in time.
"""
