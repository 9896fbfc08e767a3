"""How this project draws and words what it found: plots, pages, printed text and numbers.

Knows nothing of what is shown; the rooms above say that. matplotlib is imported on the first plot.
"""
