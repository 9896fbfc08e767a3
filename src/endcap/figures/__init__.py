"""How this project draws and words what it found: plots, pages and numbers as people read them.

Knows nothing of what is shown; the rooms above say that. matplotlib is imported on the first plot.
"""
