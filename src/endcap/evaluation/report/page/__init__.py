"""An evaluation as one HTML file: what was found, how sure it is, and what it does not say."""
