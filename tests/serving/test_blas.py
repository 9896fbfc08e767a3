from __future__ import annotations

import sys

import numpy as np
import pytest

from endcap.serving import blas


@pytest.mark.skipif(
    sys.platform != "linux" or "openblas" not in str(np.show_config("dicts")),
    reason="this numpy brings no OpenBLAS",
)
def test_numpy_keeps_to_one_thread_inside_and_is_free_again_after():
    read, write = blas._openblas()
    before = read()
    write(2)
    try:
        with blas.one_blas_thread() as is_arranged:
            assert is_arranged
            assert read() == 1
        assert read() == 2
    finally:
        write(before)


def test_without_openblas_nothing_happens(monkeypatch):
    monkeypatch.setattr(blas, "_openblas", lambda: None)
    with blas.one_blas_thread() as is_arranged:
        assert not is_arranged
