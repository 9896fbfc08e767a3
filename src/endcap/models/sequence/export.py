"""The sequence network as one ONNX file, for serving without the training library."""

from __future__ import annotations

from pathlib import Path

import torch

from endcap.models.learning.onnx_file import write_onnx
from endcap.models.sequence.network import SequenceEncoder


def export_onnx(network: SequenceEncoder, path: Path, *, max_length: int) -> None:
    """Write the network; see `Sequence.export_encoder` for its input and output.

    Cost: seconds the first time in a process, for the exporter's own imports.
    """
    example = torch.ones(2, min(3, max_length), dtype=torch.int64)
    batch = torch.export.Dim("batch")
    length = torch.export.Dim("length", max=max_length)
    shapes = [{0: batch, 1: length}]
    write_onnx(network, (example,), path, names=["items"], output="query", shapes=shapes)
