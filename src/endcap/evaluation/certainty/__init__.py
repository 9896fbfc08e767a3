"""How sure a mean and a difference are, and what could have been shown."""
