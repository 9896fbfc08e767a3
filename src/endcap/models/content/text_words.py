"""Texts by the words that they share: tf-idf, brought to a few hundred numbers.

The light encoder: no pre-trained weights. What it learns of a catalogue is kept, because vectors of
two different fits do not compare.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from endcap.models.vectors import unit_rows
from endcap.schema.errors import DataError

N_NUMBERS = 256
MAX_WORDS = 50_000
_RULES = {"sublinear_tf": True, "stop_words": "english", "dtype": np.float32}


@dataclass(frozen=True, slots=True)
class Words:
    """The words that count, and the directions that they are brought to.

    words: str, shape (n_words,).
    idf: float32, shape (n_words,): how rare each is.
    directions: float32, shape (d, n_words).
    """

    words: NDArray[np.str_]
    idf: NDArray[np.float32]
    directions: NDArray[np.float32]

    @staticmethod
    def of(texts: Sequence[str]) -> Words:
        """Return what there is to learn of the words of a catalogue.

        Raises:
            DataError: no word occurs in two texts.

        Cost: for 5,000 texts a few seconds.
        """
        rules = {"min_df": 2, "max_df": max(0.3, 2 / max(len(texts), 1)), **_RULES}
        vectorizer = TfidfVectorizer(max_features=MAX_WORDS, **rules)
        try:
            table = vectorizer.fit_transform(texts)
        except ValueError as error:
            raise DataError(
                "the texts of the items have no words in common",
                mend="Give titles or descriptions, or train without texts",
            ) from error
        size = min(N_NUMBERS, table.shape[1], len(texts))
        reduced = TruncatedSVD(size, random_state=0).fit(table)
        return Words(
            words=np.array(vectorizer.get_feature_names_out(), dtype=np.str_),
            idf=vectorizer.idf_.astype(np.float32),
            directions=reduced.components_.astype(np.float32),
        )

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector of length one for each text, (n_texts, d); zeros without known words."""
        if not len(texts):
            return np.zeros((0, len(self.directions)), dtype=np.float32)
        places = {word: place for place, word in enumerate(self.words.tolist())}
        vectorizer = TfidfVectorizer(vocabulary=places, **_RULES)
        vectorizer.idf_ = self.idf
        table = vectorizer.transform(texts) @ self.directions.T
        return unit_rows(np.asarray(table, dtype=np.float32))

    def save(self, file: Path) -> None:
        """Write it as npz."""
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_suffix(".part")
        with scratch.open("wb") as out:
            np.savez(
                out,
                allow_pickle=False,
                words=self.words,
                idf=self.idf,
                directions=self.directions,
            )
        scratch.replace(file)

    @staticmethod
    def load(file: Path) -> Words:
        """Return what `save` wrote.

        Raises:
            DataError: it cannot be read.
        """
        try:
            with np.load(file, allow_pickle=False) as kept:
                return Words(kept["words"], kept["idf"], kept["directions"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(
                f"the words of the catalogue cannot be read: {error}",
                where=str(file),
                mend="Delete the file and train anew",
            ) from error
