"""What training hands to serving: one immutable, checksummed folder, and the code that reads it.

Knows no model: training turns models into arrays first.
"""
