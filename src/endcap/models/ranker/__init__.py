"""Trees that rank the candidates of several models by features of the moment."""
