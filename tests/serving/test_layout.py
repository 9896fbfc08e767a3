from __future__ import annotations

from endcap.serving.candidates import Source
from endcap.serving.layout import HOME, shelves_for


def ids(visitor, *, in_session=False):
    return [spec.shelf_id for spec in shelves_for(visitor, in_session=in_session)]


def test_the_shelf_about_the_visit_leads_while_it_lasts():
    assert ids("known")[0] == "buy_again"
    assert ids("known", in_session=True)[0] == "because"
    assert sorted(ids("known")) == sorted(ids("known", in_session=True))


def test_popular_right_now_is_for_those_nobody_knows():
    assert "popular" not in ids("known")
    assert "popular" in ids("new")
    assert "popular" in ids("session")


def test_every_source_feeds_exactly_one_shelf():
    fed = [source for spec in HOME for source in spec.sources]
    assert sorted(fed) == sorted(Source)
