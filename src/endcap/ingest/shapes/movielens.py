"""MovieLens: 100k, 1M and 10M with their odd separators, 20M, 25M, 32M and latest as CSV."""

from __future__ import annotations

from endcap.ingest.shapes.shape import Dialect, Holds, Pattern
from endcap.ingest.staging import Format
from endcap.schema.columns import Kind

NUMBER = r"[0-9]+"
STARS = r"[0-5](\.[05])?"
SECONDS = r"[0-9]{9,10}"
ANYTHING = r"(?s).*"
FLAG = r"[01]"
RATING_COLUMNS = {"user_id": "#1", "item_id": "#2", "value": "#3", "ts": "#4"}
DOUBLE_COLON = Dialect(
    format=Format.CSV, delimiter="::", encoding="latin-1", has_header=False, quote=""
)
BARS = Dialect(format=Format.CSV, delimiter="|", encoding="latin-1", has_header=False, quote="")
TABS = Dialect(format=Format.CSV, delimiter="\t", has_header=False, quote="")
MOVIE_MAPPING = {"item_id": "item_id", "name": "name", "category": "category"}
USER_COLUMNS = {"gender": "#2", "age": "#3", "occupation": "#4", "zip_code": "#5"}

GENRES = (
    *("Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary"),
    *("Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi"),
    *("Thriller", "War", "Western"),
)
# The flags of u.item stand in columns 7 to 24; column 6 is "unknown".
FIRST_FLAG = " ".join(
    f"""WHEN "#{n}" = '1' THEN '{genre.replace("'", "''")}'""" for n, genre in enumerate(GENRES, 7)
)
FIRST_GENRE = "nullif(split_part({}, '|', 1), '(no genres listed)')"

RATINGS = (
    Pattern(
        name="movielens-ratings",
        title="ratings of MovieLens (20M, 25M, 32M or latest)",
        holds=Holds.INTERACTIONS,
        needs=("userid", "movieid", "rating", "timestamp"),
        mapping={"user_id": "userid", "item_id": "movieid", "value": "rating", "ts": "timestamp"},
        kind=Kind.RATING,
        ts_unit="seconds",
    ),
    Pattern(
        name="movielens-1m-ratings",
        title="ratings of MovieLens 1M or 10M, separated by ::",
        holds=Holds.INTERACTIONS,
        file_name=r"ratings\.dat",
        cells=(NUMBER, NUMBER, STARS, SECONDS),
        mapping=RATING_COLUMNS,
        kind=Kind.RATING,
        dialect=DOUBLE_COLON,
        ts_unit="seconds",
    ),
    Pattern(
        name="movielens-100k-ratings",
        title="ratings of MovieLens 100k, separated by tabs",
        holds=Holds.INTERACTIONS,
        file_name=r"u\.data",
        cells=(NUMBER, NUMBER, STARS, SECONDS),
        mapping=RATING_COLUMNS,
        kind=Kind.RATING,
        dialect=TABS,
        ts_unit="seconds",
    ),
)
MOVIES = (
    Pattern(
        name="movielens-movies",
        title="movies of MovieLens (20M, 25M, 32M or latest)",
        holds=Holds.ITEMS,
        needs=("movieid", "title", "genres"),
        mapping=MOVIE_MAPPING,
        select=f"""
            SELECT $movieid AS item_id, $title AS name,
                {FIRST_GENRE.format("$genres")} AS category
            FROM source
        """,
        tells=(("genres", "is a|b|c; the first is taken for the category"),),
    ),
    Pattern(
        name="movielens-1m-movies",
        title="movies of MovieLens 1M or 10M, separated by ::, in Latin-1",
        holds=Holds.ITEMS,
        file_name=r"movies\.dat",
        cells=(NUMBER, ANYTHING, ANYTHING),
        mapping=MOVIE_MAPPING,
        select=f"""
            SELECT "#1" AS item_id, "#2" AS name, {FIRST_GENRE.format('"#3"')} AS category
            FROM source
        """,
        dialect=DOUBLE_COLON,
    ),
    Pattern(
        name="movielens-100k-movies",
        title="movies of MovieLens 100k, separated by |, in Latin-1",
        holds=Holds.ITEMS,
        file_name=r"u\.item",
        cells=(NUMBER, ANYTHING, ANYTHING, ANYTHING, ANYTHING, *([FLAG] * 19)),
        mapping=MOVIE_MAPPING,
        select=f"""
            SELECT "#1" AS item_id, "#2" AS name, CASE {FIRST_FLAG} END AS category FROM source
        """,
        dialect=BARS,
    ),
)
USERS = (
    Pattern(
        name="movielens-1m-users",
        title="users of MovieLens 1M, separated by ::",
        holds=Holds.USERS,
        file_name=r"users\.dat",
        cells=(NUMBER, "[MF]", NUMBER, NUMBER, ANYTHING),
        mapping={"user_id": "#1", **USER_COLUMNS},
        dialect=DOUBLE_COLON,
    ),
    Pattern(
        name="movielens-100k-users",
        title="users of MovieLens 100k, separated by |",
        holds=Holds.USERS,
        file_name=r"u\.user",
        cells=(NUMBER, NUMBER, "[MF]", ANYTHING, ANYTHING),
        mapping={"user_id": "#1", **USER_COLUMNS, "age": "#2", "gender": "#3"},
        dialect=BARS,
    ),
)
NOTHING = (
    Pattern(
        name="movielens-tags",
        title="tags of MovieLens, which are words, not opinions",
        holds=Holds.NOTHING,
        needs=("userid", "movieid", "tag", "timestamp"),
    ),
    Pattern(
        name="movielens-10m-tags",
        title="tags of MovieLens 10M, which are words, not opinions",
        holds=Holds.NOTHING,
        file_name=r"tags\.dat",
        cells=(NUMBER, NUMBER, ANYTHING, SECONDS),
    ),
    Pattern(
        name="movielens-links",
        title="ids of the movies elsewhere",
        holds=Holds.NOTHING,
        needs=("movieid", "imdbid", "tmdbid"),
    ),
    Pattern(
        name="movielens-genome",
        title="the tag genome of MovieLens",
        holds=Holds.NOTHING,
        needs=("tagid", "relevance|tag"),
    ),
)
PATTERNS = (*RATINGS, *MOVIES, *USERS, *NOTHING)
