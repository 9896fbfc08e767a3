"""The request path: gather what is known, choose the page, answer, and note what was shown."""
