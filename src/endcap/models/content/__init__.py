"""Items by what is said of them, for those that nobody has had yet."""
