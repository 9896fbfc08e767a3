"""Two networks that put users and items into one space."""
