"""Neural collaborative filtering: a learnt function of user and item."""
