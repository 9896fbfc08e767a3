"""Models that foresee ratings; rivals and seeds, none of which makes a page."""
