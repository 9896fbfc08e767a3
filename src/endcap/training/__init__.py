"""From a snapshot to fitted models, their evaluation, and the bundle that serving reads."""
