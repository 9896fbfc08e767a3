"""Writes reviews as the Amazon review data sets of 2014, 2018 and 2023 have them, field by field.

Source: McAuley et al. 2015; Ni, Li, McAuley 2019; Hou et al. 2024.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np

from endcap.simulate.block import Block
from endcap.simulate.ids import ITEM_CODE_WIDTH, USER_CODE_WIDTH, item_codes, parents, user_codes
from endcap.simulate.lines import Layout, woven
from endcap.simulate.scramble import Integers, Words, mixed
from endcap.simulate.seasons import DAY_MS
from endcap.simulate.spec import EventSpec
from endcap.simulate.texts import Pool, picked, pool, review_texts, reviewer_names, summaries

MOST_TEXTS, LEAST_TEXTS, REVIEWS_PER_TEXT = 8192, 64, 16
N_VOTES = 1024
STARS = range(6)

_TEXTS, _NAMES, _EVENT, _NAME, _LONG_ID = 5, 7, 51, 52, 53


class ReviewWords:
    """What reviews of all three years say beside ids, stars and times."""

    def __init__(self, spec: EventSpec) -> None:
        n_texts = min(max(spec.n_events // REVIEWS_PER_TEXT, LEAST_TEXTS), MOST_TEXTS)
        rng = np.random.default_rng([spec.seed, _TEXTS])
        self._texts = review_texts(n_texts, rng) if spec.text else pool([b""])
        self._summaries = summaries() if spec.text else (pool([b""]),) * 6
        self._sizes = np.array([len(texts) for texts in self._summaries])
        self._all = np.concatenate(self._summaries)
        self._first = np.cumsum(self._sizes) - self._sizes
        rng = np.random.default_rng([spec.seed, _NAMES])
        self.names = reviewer_names(rng)
        self.votes = rng.zipf(1.6, N_VOTES).clip(max=20_000)
        self.votes[rng.random(N_VOTES) < 0.6] = 0
        self.votes[:2] = 12, 1234  # so that every simulation has votes with and without a comma
        self._seed = spec.seed

    def texts(self, bits: Words) -> list[bytes]:
        """Return a text for each event."""
        return picked(self._texts, bits % np.uint64(len(self._texts)))

    def summaries(self, bits: Words, stars: Integers) -> list[bytes]:
        """Return a heading for each event that fits its stars."""
        sizes = self._sizes[stars].astype(np.uint64)
        nth = (bits >> np.uint64(20)) % sizes
        return picked(self._all, self._first[stars] + nth.astype(np.int64))

    def name_of(self, user: np.ndarray[Any, Any]) -> Words:
        """Return the number of each user's name."""
        return mixed(user, seed=self._seed, purpose=_NAME) % np.uint64(len(self.names))


class Amazon2014Lines:
    """Writes lines of `reviews_Electronics_5.json.gz` and its like."""

    header = b""

    def __init__(self, spec: EventSpec) -> None:
        self._seed, self._words = spec.seed, ReviewWords(spec)
        self._ids = Layout(
            b'{"reviewerID": "A',
            ("user", USER_CODE_WIDTH),
            b'", "asin": "B0',
            ("item", ITEM_CODE_WIDTH),
            b'", ',
        )
        self._names = _named(self._words.names, then=b'"helpful": ')
        self._helpful = pool([_helpful(n, int(votes)) for n, votes in enumerate(self._words.votes)])
        self._stars = pool([b'", "overall": %d.0, "summary": "' % stars for stars in STARS])

    def lines(self, block: Block) -> bytes:
        """Return a line for each event."""
        bits, stars = _bits(block), block.value.astype(np.int64)
        sheet = self._ids.sheet(len(block))
        sheet.code("user", user_codes(block.user, seed=self._seed))
        sheet.code("item", item_codes(block.item, seed=self._seed))
        return woven(
            [
                sheet.rows(),
                picked(self._names, self._words.name_of(block.user)),
                picked(self._helpful, _nth_vote(bits)),
                self._words.texts(bits),
                picked(self._stars, stars),
                self._words.summaries(bits, stars),
                _of_days(block, '", "unixReviewTime": {unix}, "reviewTime": "{words}"}}\n'),
            ]
        )


class Amazon2018Lines:
    """Writes lines of `Electronics_5.json.gz` of the second release and its like."""

    header = b""

    def __init__(self, spec: EventSpec) -> None:
        self._seed, self._words = spec.seed, ReviewWords(spec)
        self._ids = Layout(
            ("user", USER_CODE_WIDTH), b'", "asin": "B0', ("item", ITEM_CODE_WIDTH), b'", '
        )
        self._stars = pool([b'{"overall": %d.0, ' % stars for stars in STARS])
        self._votes = pool([_vote(int(votes)) for votes in self._words.votes])
        self._verified = pool(
            [b'"verified": false, "reviewTime": "', *[b'"verified": true, "reviewTime": "'] * 7]
        )
        self._styles = pool(_styles())
        self._names = _named(self._words.names, then=b'"reviewText": "')

    def lines(self, block: Block) -> bytes:
        """Return a line for each event."""
        bits, stars = _bits(block), block.value.astype(np.int64)
        sheet = self._ids.sheet(len(block))
        sheet.code("user", user_codes(block.user, seed=self._seed))
        sheet.code("item", item_codes(block.item, seed=self._seed))
        return woven(
            [
                picked(self._stars, stars),
                picked(self._votes, _nth_vote(bits)),
                picked(self._verified, bits % np.uint64(8)),
                _of_days(block, '{words}", "reviewerID": "A'),
                sheet.rows(),
                picked(self._styles, (bits >> np.uint64(13)) % np.uint64(len(self._styles))),
                picked(self._names, self._words.name_of(block.user)),
                self._words.texts(bits),
                [b'", "summary": "'] * len(block),
                self._words.summaries(bits, stars),
                _of_days(block, '", "unixReviewTime": {unix}}}\n'),
            ]
        )


class Amazon2023Lines:
    """Writes lines of `Electronics.jsonl.gz` of the third release and its like."""

    header = b""

    def __init__(self, spec: EventSpec) -> None:
        self._seed, self._words = spec.seed, ReviewWords(spec)
        self._ids = Layout(
            ("item", ITEM_CODE_WIDTH),
            b'", "parent_asin": "B0',
            ("parent", ITEM_CODE_WIDTH),
            b'", "user_id": "AE2Q',
            ("user", USER_CODE_WIDTH),
            ("more", USER_CODE_WIDTH),
            b'", "timestamp": ',
            ("ts", 13),
            b', "helpful_vote": ',
        )
        self._stars = pool([b'{"rating": %d.0, "title": "' % stars for stars in STARS])
        self._images = pool(_images())
        self._votes = pool([b'%d, "verified_purchase": ' % votes for votes in self._words.votes])
        self._verified = pool([b"false}\n", *[b"true}\n"] * 7])

    def lines(self, block: Block) -> bytes:
        """Return a line for each event."""
        bits, stars = _bits(block), block.value.astype(np.int64)
        sheet = self._ids.sheet(len(block))
        sheet.code("item", item_codes(block.item, seed=self._seed))
        sheet.code("parent", item_codes(parents(block.item, seed=self._seed), seed=self._seed))
        sheet.code("user", user_codes(block.user, seed=self._seed))
        more = mixed(block.user, seed=self._seed, purpose=_LONG_ID)
        sheet.code("more", more >> np.uint64(2))
        sheet.number("ts", block.ts_ms, fill=b" ")
        return woven(
            [
                picked(self._stars, stars),
                self._words.summaries(bits, stars),
                [b'", "text": "'] * len(block),
                self._words.texts(bits),
                picked(self._images, (bits >> np.uint64(13)) % np.uint64(len(self._images))),
                sheet.rows(),
                picked(self._votes, _nth_vote(bits)),
                picked(self._verified, bits % np.uint64(8)),
            ]
        )


def _bits(block: Block) -> Words:
    return mixed(block.salt, seed=0, purpose=_EVENT)


def _nth_vote(bits: Words) -> Words:
    return (bits >> np.uint64(40)) % np.uint64(N_VOTES)


def _of_days(block: Block, form: str) -> list[bytes]:
    """Return a text for the day of each event: `{unix}` in seconds, `{words}` as 07 3, 2014."""
    days, of_event = np.unique(block.ts_ms // DAY_MS, return_inverse=True)
    texts = []
    for unix in (days * (DAY_MS // 1000)).tolist():
        words = f"{datetime.fromtimestamp(unix, tz=UTC):%m %-d, %Y}"
        texts.append(form.format(unix=unix, words=words).encode())
    return picked(pool(texts), of_event)


def _named(names: list[bytes], *, then: bytes) -> Pool:
    return pool([(b'"reviewerName": "%s", ' % name if name else b"") + then for name in names])


def _helpful(n: int, votes: int) -> bytes:
    return b'[%d, %d], "reviewText": "' % (votes * (n % 5 + 1) // 5, votes)


def _vote(votes: int) -> bytes:
    return f'"vote": "{votes:,}", '.encode() if votes else b""


def _styles() -> list[bytes]:
    """Return what the 2018 files say of the variant that was bought; half say nothing."""
    kinds = {
        "Color:": (" Black", " White", ' Blue 15"', " Café"),
        "Size:": (" 6 Feet", " 32GB", " 1-Pack", " Large"),
        "Style:": (" with Case", " International", " 2nd Gen"),
    }
    one = [{name: value} for name, values in kinds.items() for value in values]
    two = [{"Size:": size, "Color:": color} for size in kinds["Size:"] for color in kinds["Color:"]]
    said = [f'"style": {json.dumps(style)}, '.encode() for style in (*one, *two)]
    return said + [b""] * len(said)


def _images() -> list[bytes]:
    """Return how the 2023 files list pictures; one review of sixteen has one."""
    none = b'", "images": [], "asin": "B0'
    names = ("small_image_url", "medium_image_url", "large_image_url")
    one = {name: f"https://images.example.com/I/{name[:5]}.jpg" for name in names}
    listed = json.dumps([{**one, "attachment_type": "IMAGE"}]).encode()
    return [b'", "images": ' + listed + b', "asin": "B0', *[none] * 15]
