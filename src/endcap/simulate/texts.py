"""Pools of review texts, headings and names, as the bytes that stand in a JSON string.

Made once from the seed; each event picks from them by its own drawn bits.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from endcap.simulate.scramble import Integers
from endcap.simulate.words import COMMON, REVIEWERS, SUMMARIES, SYLLABLES, UNUSUAL

Pool = np.ndarray[Any, np.dtype[np.object_]]

MEDIAN_WORDS, SPREAD_OF_WORDS, MOST_WORDS = 80, 0.85, 2500
"""Lengths of reviews: lognormal, so that the mean is about 115 words."""

N_RARE_WORDS = 12_000
SHARE_OF_RARE_WORDS = 0.18
WORDS_PER_SENTENCE = 14
N_NAMES = 4096


def pool(texts: list[bytes]) -> Pool:
    """Return the texts as an array of objects, from which many are picked at once."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def picked(texts: Pool, chosen: np.ndarray[Any, Any]) -> list[bytes]:
    """Return the chosen texts."""
    pieces: list[bytes] = texts[chosen].tolist()
    return pieces


def review_texts(n: int, rng: np.random.Generator) -> Pool:
    """Return n review texts: sentences without a meaning, of lifelike lengths."""
    drawn = rng.lognormal(np.log(MEDIAN_WORDS), SPREAD_OF_WORDS, n)
    lengths = np.clip(drawn, 1, MOST_WORDS).astype(np.int64)
    tokens = _tokens(lengths, rng)
    ends = np.cumsum(lengths)
    spans = zip((ends - lengths).tolist(), ends.tolist(), strict=True)
    return pool([escaped(" ".join(tokens[begin:end])) for begin, end in spans])


def summaries() -> tuple[Pool, ...]:
    """Return the headings of reviews with no star to five stars; those with none are empty."""
    return pool([b""]), *(pool([escaped(text) for text in texts]) for texts in SUMMARIES)


def reviewer_names(rng: np.random.Generator) -> list[bytes]:
    """Return names of reviewers; some have no name, which is None in the published files too."""
    numbers = rng.integers(1, 100_000, N_NAMES).tolist()
    names = [
        escaped(f"{REVIEWERS[n % len(REVIEWERS)]} {number}") for n, number in enumerate(numbers)
    ]
    names[:: N_NAMES // 64] = [b""] * 64
    return names


def escaped(text: str) -> bytes:
    """Return the text as it stands between the quotes of a JSON string."""
    return json.dumps(text)[1:-1].encode()


def made_up_words(n: int, rng: np.random.Generator) -> list[str]:
    """Return n words of two to four syllables."""
    syllables = np.array(SYLLABLES, dtype=object)[rng.integers(0, len(SYLLABLES), (n, 4))].tolist()
    return ["".join(word[:length]) for word, length in zip(syllables, _two_to_four(n), strict=True)]


def _two_to_four(n: int) -> list[int]:
    return [2 + number % 3 for number in range(n)]


def _tokens(lengths: Integers, rng: np.random.Generator) -> list[str]:
    """Return the words of all texts, one after the other, with capitals and marks."""
    n_words = int(lengths.sum())
    words = [*COMMON, *UNUSUAL, *made_up_words(N_RARE_WORDS, rng)]
    n_known, n_common = len(words), len(COMMON)
    commonness = 1.0 / (np.arange(n_common) + 2.0)
    edges = np.cumsum(commonness) / commonness.sum()
    chosen = np.searchsorted(edges, rng.random(n_words), side="right")
    rare = np.flatnonzero(rng.random(n_words) < SHARE_OF_RARE_WORDS)
    # The square makes the first of the rare words less rare than the last.
    spread = rng.random(len(rare)) ** 2 * (n_known - n_common)
    chosen[rare] = n_common + spread.astype(np.int64)
    closes = rng.random(n_words) < 1 / WORDS_PER_SENTENCE
    closes[np.cumsum(lengths) - 1] = True
    opens = np.concatenate([[True], closes[:-1]])
    has_comma = ~closes & ~opens & (rng.random(n_words) < 0.04)
    form = np.where(has_comma, 4, opens + 2 * closes)
    tokens: list[str] = _forms(words)[form * n_known + chosen].tolist()
    return tokens


def _forms(words: list[str]) -> Pool:
    """Return each word plain, as a first, as a last, as the only word, and before a comma."""
    firsts = [word[:1].upper() + word[1:] for word in words]
    marks = ["!" if n % 11 == 0 else "." for n in range(len(words))]
    forms = [
        *words,
        *firsts,
        *(word + mark for word, mark in zip(words, marks, strict=True)),
        *(word + mark for word, mark in zip(firsts, marks, strict=True)),
        *(word + "," for word in words),
    ]
    array = np.empty(len(forms), dtype=object)
    array[:] = forms
    return array
