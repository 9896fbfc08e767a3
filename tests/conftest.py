"""Fixtures that several rooms share; the tiny shop itself is made in `shops.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from endcap.bundle.read import Bundle, read_bundle
from endcap.testing.shop import TinyShop
from shops import make_shop, shop_parts, write_shop

# How long an example takes says something of the machine, not of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def shop() -> TinyShop:
    """The small generated shop."""
    return make_shop()


@pytest.fixture(scope="session")
def bundle_root(shop: TinyShop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundles whose current one is the tiny shop's, without a user tower."""
    root = tmp_path_factory.mktemp("bundles")
    write_shop(shop_parts(shop), root)
    return root


@pytest.fixture(scope="session")
def bundle(bundle_root: Path) -> Bundle:
    """The tiny shop's bundle, opened."""
    from endcap.bundle.write import current

    return read_bundle(current(bundle_root))


@pytest.fixture(scope="session")
def tower_bundle(shop: TinyShop, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same with a minimal user tower; needs onnx to make it."""
    root = tmp_path_factory.mktemp("tower-bundles")
    return read_bundle(write_shop(shop_parts(shop, with_tower=True), root))
