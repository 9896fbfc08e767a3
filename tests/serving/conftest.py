"""The app over the tiny shop."""

from __future__ import annotations

import pytest

from webshop import open_web


@pytest.fixture
async def web(bundle):
    async with open_web(bundle) as opened:
        yield opened


@pytest.fixture
def client(web):
    return web.client
