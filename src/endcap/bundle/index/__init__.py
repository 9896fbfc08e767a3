"""Ways to find the nearest item vectors."""
