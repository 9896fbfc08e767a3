"""Home-page recommendations for online shops: personal, live, measured."""

import os

__version__ = "0.1.0"

# onnxruntime reports to its maker and keeps an id in the home folder, unless it was told not to
# before it is imported. Whoever wants that says ORT_DISABLE_TELEMETRY=0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
