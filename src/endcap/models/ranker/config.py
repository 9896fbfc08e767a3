"""Settings of the trees, apart from them so that they can be named without LightGBM.

Why they are what they are is told in `docs/adr/0016-learned-ranker.md`.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RankerConfig(BaseModel):
    """Settings of the trees that rank the candidates of a blend."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    learning_rate: float = Field(0.05, gt=0, le=1, description="How much each tree counts.")
    max_rounds: int = Field(600, ge=1, description="Trees at most; cross-validation says how many.")
    patience: int = Field(40, ge=1, description="Stop after so many trees without a better NDCG.")
    n_leaves: int = Field(15, ge=2, le=1024, description="Leaves of a tree.")
    min_leaf: int = Field(50, ge=1, description="Pairs of a user and an item in a leaf at least.")
    feature_share: float = Field(0.7, gt=0, le=1, description="Share of features a tree may use.")
    row_share: float = Field(0.8, gt=0, le=1, description="Share of the pairs a tree sees.")
    l2: float = Field(5.0, ge=0, description="Weight of the squared values of the leaves.")
    truncation: int = Field(
        50, ge=1, description="Only pairs with one item among so many first places are compared."
    )
    n_folds: int = Field(3, ge=2, le=20, description="Parts of the users, to cross-validate by.")
    min_users: int = Field(
        200, ge=2, description="With fewer users who took a candidate there are no trees."
    )
    n_threads: int = Field(0, ge=0, description="Threads of the training; 0 takes all cores.")
