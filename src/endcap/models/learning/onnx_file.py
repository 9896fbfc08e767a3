"""A trained network as one ONNX file, for serving without the training library."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

OPSET = 20


def write_onnx(
    network: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    *,
    names: Sequence[str],
    output: str,
    shapes: Sequence[Mapping[int, object]],
) -> None:
    """Write the network as one ONNX file.

    Args:
        network: trained.
        example: inputs that it takes.
        path: the file; written over.
        names: of the inputs.
        output: name of the one output.
        shapes: of each input, what `torch.export.Dim` says of each axis that may have any length.

    Raises:
        RuntimeError: the exporter returned nothing.

    Cost: seconds the first time in a process, for the exporter's own imports.
    """
    with _quiet("torch.onnx"):
        program = torch.onnx.export(
            network,
            example,
            input_names=list(names),
            output_names=[output],
            dynamic_shapes=tuple(shapes),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("the ONNX exporter returned no program")
    program.save(path, external_data=False)


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence a logger's warnings: the exporter regrets libraries that we do not use."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
