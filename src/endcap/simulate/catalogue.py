"""Writes the catalogue that goes with the events, in the form of the same data set."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from endcap.simulate.ids import asins, parents
from endcap.simulate.population import Population, price_cents, quality
from endcap.simulate.scramble import mixed
from endcap.simulate.seasons import DAY_MS, Clock
from endcap.simulate.shop_logs import item_numbers
from endcap.simulate.spec import EventSpec, Format
from endcap.simulate.texts import made_up_words
from endcap.simulate.words import ADJECTIVES, DEPARTMENTS, TRAITS

ITEMS_AT_ONCE = 4096
N_BRANDS = 500
N_RELATED = 4
REACH_OF_RELATED = 40
PICTURES = "https://images.example.com/I/"
CSV_COLUMNS = ("item_id", "name", "department", "category", "brand", "price", "currency")
RETAILROCKET_HEADER = "timestamp,itemid,property,value\n"
_FACTS, _RELATED, _BRANDS = 61, 62, 6


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one item; `None` and empty lists are what the catalogue does not say.

    bits: drawn bits for whatever else a format says.
    """

    asin: str
    title: str
    brand: str | None
    price: float | None
    path: tuple[str, str, str]
    also_bought: list[str]
    also_viewed: list[str]
    stars: float
    bits: int

    @property
    def picture(self) -> str:
        """Return the address of the item's picture."""
        return f"{PICTURES}{self.bits % 2**40:010X}.jpg"


class Catalogue:
    """The catalogue of a simulation as lines of text, many at a time."""

    def __init__(self, spec: EventSpec, population: Population) -> None:
        self._spec, self._population = spec, population
        self._brands = [
            word.capitalize()
            for word in made_up_words(N_BRANDS, np.random.default_rng([spec.seed, _BRANDS]))
        ]
        self._things = [
            (department, thing) for department, things in DEPARTMENTS.items() for thing in things
        ]

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield (number of items, their lines), in the order of their indices."""
        spec = self._spec
        yield 0, _HEADERS.get(spec.format, "").encode()
        for begin in range(0, spec.n_items, ITEMS_AT_ONCE):
            item = np.arange(begin, min(begin + ITEMS_AT_ONCE, spec.n_items))
            n_done = len(item)
            if spec.format is Format.RETAILROCKET:
                yield n_done, _property_lines(item, spec, self._population)
                continue
            if spec.format is Format.AMAZON_2023:
                item = item[parents(item, seed=spec.seed) == item]
            yield n_done, self._lines(item)

    def _lines(self, item: np.ndarray[Any, Any]) -> bytes:
        facts = self._facts(item)
        if self._spec.format in (Format.CSV, Format.JSONL):
            ids = [f"i{number}" for number in item_numbers(item, self._spec).tolist()]
            write = _csv_lines if self._spec.format is Format.CSV else _json_lines
            return write(ids, facts)
        line = _AMAZON[self._spec.format]
        return "".join([line(known) + "\n" for known in facts]).encode()

    def _facts(self, item: np.ndarray[Any, Any]) -> list[Facts]:
        """Return what is known of the items: of some no price, no brand, no relations."""
        spec = self._spec
        bits = mixed(item, seed=spec.seed, purpose=_FACTS)
        rows = zip(
            asins(item, seed=spec.seed),
            self._population.category_of(item).tolist(),
            price_cents(item, seed=spec.seed).tolist(),
            quality(item, seed=spec.seed).tolist(),
            bits.tolist(),
            self._related(item, 0),
            self._related(item, N_RELATED),
            strict=True,
        )
        return [self._one(*row) for row in rows]

    def _one(
        self,
        asin: str,
        category: int,
        cents: int,
        good: float,
        bits: int,
        bought: list[str],
        viewed: list[str],
    ) -> Facts:
        department, thing = self._things[category % len(self._things)]
        brand = self._brands[bits % N_BRANDS]
        words = (
            brand,
            ADJECTIVES[(bits >> 10) % len(ADJECTIVES)],
            thing,
            TRAITS[(bits >> 15) % len(TRAITS)],
            f"{chr(65 + (bits >> 20) % 26)}{(bits >> 25) % 1000}",
        )
        return Facts(
            asin=asin,
            title=" ".join(words),
            brand=brand if (bits >> 36) % 8 else None,
            price=cents / 100 if (bits >> 40) % 5 else None,
            path=("Electronics", department, thing),
            also_bought=bought if (bits >> 44) % 4 else [],
            also_viewed=viewed if (bits >> 48) % 3 else [],
            stars=round(3.6 + 1.2 * good, 1),
            bits=bits,
        )

    def _related(self, item: np.ndarray[Any, Any], nth: int) -> list[list[str]]:
        """Return the ids of a few items near each one, which are mostly of its category."""
        n_items = self._spec.n_items
        columns = []
        for n in range(nth, nth + N_RELATED):
            steps = mixed(item, seed=self._spec.seed, purpose=_RELATED + n)
            away = (steps % np.uint64(REACH_OF_RELATED)).astype(np.int64) + 1
            columns.append(asins((item + away * (-1) ** n) % n_items, seed=self._spec.seed))
        return [list(dict.fromkeys(row)) for row in zip(*columns, strict=True)]


def _amazon_2014(known: Facts) -> str:
    """Return a line of `meta_Electronics.json.gz`: a Python literal, quoted as Python likes."""
    entry: dict[str, Any] = {"asin": known.asin}
    if known.also_bought or known.also_viewed:
        related = {"also_bought": known.also_bought, "also_viewed": known.also_viewed}
        entry["related"] = {name: ids for name, ids in related.items() if ids}
    entry["title"] = known.title
    if known.price is not None:
        entry["price"] = known.price
    entry["salesRank"] = {known.path[0]: 1 + known.bits % 900_000}
    entry["imUrl"] = known.picture
    if known.brand is not None:
        entry["brand"] = known.brand
    entry["categories"] = [list(known.path)]
    return repr(entry)


def _amazon_2018(known: Facts) -> str:
    """Return a line of the second release's metadata: every value is text or a list of texts."""
    rank = 1 + known.bits % 900_000
    entry = {
        "category": list(known.path),
        "tech1": "",
        "description": [f"{known.title}. {known.path[1]} by {known.brand or 'its maker'}."],
        "fit": "",
        "title": known.title,
        "also_buy": known.also_bought,
        "tech2": "",
        "brand": known.brand or "",
        "feature": [f"{known.path[2]} for every day", "Easy to use"],
        "rank": [f">#{rank:,} in {known.path[0]} (See Top 100)"],
        "also_view": known.also_viewed,
        "main_cat": known.path[1].replace("&", "&amp;"),
        "similar_item": "",
        "date": "",
        "price": "" if known.price is None else f"${known.price:,.2f}",
        "asin": known.asin,
        "imageURL": [known.picture],
        "imageURLHighRes": [known.picture],
    }
    return json.dumps(entry)


def _amazon_2023(known: Facts) -> str:
    """Return a line of the third release's metadata, one for each `parent_asin`."""
    picture = {
        "thumb": known.picture,
        "large": known.picture,
        "variant": "MAIN",
        "hi_res": None,
    }
    entry = {
        "main_category": "All Electronics",
        "title": known.title,
        "average_rating": known.stars,
        "rating_number": 1 + known.bits % 2000,
        "features": [f"{known.path[2]} for every day", "Easy to use"],
        "description": [] if known.bits % 3 else [f"{known.title}."],
        "price": known.price,
        "images": [picture],
        "videos": [],
        "store": known.brand,
        "categories": list(known.path),
        "details": {"Brand": known.brand} if known.brand else {},
        "parent_asin": known.asin,
        "bought_together": None,
    }
    return json.dumps(entry)


def _csv_lines(ids: list[str], facts: list[Facts]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for item_id, known in zip(ids, facts, strict=True):
        price = "" if known.price is None else f"{known.price:.2f}"
        writer.writerow((item_id, known.title, *known.path[1:], known.brand or "", price, "USD"))
    return text.getvalue().encode()


def _json_lines(ids: list[str], facts: list[Facts]) -> bytes:
    lines = []
    for item_id, known in zip(ids, facts, strict=True):
        values = (item_id, known.title, *known.path[1:], known.brand, known.price, "USD")
        lines.append(json.dumps(dict(zip(CSV_COLUMNS, values, strict=True))) + "\n")
    return "".join(lines).encode()


def _property_lines(item: np.ndarray[Any, Any], spec: EventSpec, population: Population) -> bytes:
    """Return lines of RetailRocket's `item_properties.csv`: what changed, and when.

    Numbers stand behind an n, properties but two have numbers for names; 790 is the price.
    """
    clock = Clock(spec.start, spec.n_days, growth=spec.growth)
    first, length = population.lives.of(item)
    begin_ms = clock.time_ms(np.clip(first, 0, 1).astype(np.float64)) // DAY_MS * DAY_MS
    gone_ms = clock.time_ms(np.clip(first + length, 0, 1).astype(np.float64))
    bits = mixed(item, seed=spec.seed, purpose=_FACTS).tolist()
    rows = zip(
        item_numbers(item, spec).tolist(),
        begin_ms.tolist(),
        gone_ms.tolist(),
        population.category_of(item).tolist(),
        price_cents(item, seed=spec.seed).tolist(),
        bits,
        strict=True,
    )
    lines = []
    for number, begin, gone, category, cents, drawn in rows:
        lines += [
            f"{begin},{number},categoryid,{category}\n",
            f"{begin},{number},available,1\n",
            f"{begin},{number},790,n{cents * 10}.000\n",
            f"{begin},{number},{drawn % 1100},{drawn % 1_000_003} {drawn % 999_983}\n",
        ]
        if gone < clock.end_ms:
            lines.append(f"{gone},{number},available,0\n")
        if drawn % 4 == 0:
            later = (begin + gone) // 2
            lines.append(f"{later},{number},790,n{cents * 9}.000\n")
    return "".join(lines).encode()


_HEADERS = {
    Format.CSV: ",".join(CSV_COLUMNS) + "\n",
    Format.RETAILROCKET: RETAILROCKET_HEADER,
}
_AMAZON: dict[Format, Callable[[Facts], str]] = {
    Format.AMAZON_2014: _amazon_2014,
    Format.AMAZON_2018: _amazon_2018,
    Format.AMAZON_2023: _amazon_2023,
}
