"""What a list is worth: for its user, for the catalogue, for groups of items."""
