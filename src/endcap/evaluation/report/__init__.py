"""An evaluation in words, tables and pictures."""
