"""The sequence network as one ONNX file, for serving without the training library."""

from __future__ import annotations

from pathlib import Path

import torch

from endcap.models.sequence.network import SequenceEncoder
from endcap.models.two_tower.export import OPSET, quiet


def export_onnx(network: SequenceEncoder, path: Path, *, max_length: int) -> None:
    """Write the network; see `Sequence.export_encoder` for its input and output.

    Cost: seconds the first time in a process, for the exporter's own imports.
    """
    example = torch.ones(2, min(3, max_length), dtype=torch.int64)
    batch = torch.export.Dim("batch")
    length = torch.export.Dim("length", max=max_length)
    with quiet("torch.onnx"):
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["items"],
            output_names=["query"],
            dynamic_shapes=({0: batch, 1: length},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("the ONNX exporter returned no program")
    program.save(path, external_data=False)
