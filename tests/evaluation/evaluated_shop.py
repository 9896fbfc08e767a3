"""A whole evaluation of the small shop, with hostile names, as a page shows it."""

from dataclasses import replace

import numpy as np
from evaluation_shop import CUT, N_ITEMS, N_USERS, ScoredBy, dataset_of, popular_of, shop_rows

from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.report.page.example import draw_users, example_of
from endcap.evaluation.split import split_by_time
from endcap.schema.protocols import Reason

HOSTILE = '<script>alert("x")</script> & $x^$'
ITEM_NAMES = [f"{HOSTILE} {item}" if item % 2 else f"Tea {item}" for item in range(N_ITEMS)]


def evaluated():
    """Return an evaluation and examples of users."""
    data = dataset_of(shop_rows(), n_users=N_USERS, n_items=N_ITEMS)
    codes = (np.arange(N_ITEMS) % 4).astype(np.int32)
    names = ("Tea", HOSTILE, "</style>", "Coffee")
    data = replace(data, items=replace(data.items, category=codes, category_names=names))
    split = split_by_time(data, cut_us=CUT)
    popular = popular_of(split.train)
    again = ScoredBy(split.train, lambda users: popular.score(users) + 40 * popular.seen[users])
    tail = ScoredBy(split.train, lambda users: -popular.score(users))
    models = {"popular": popular, "again": again, HOSTILE[:18]: tail}
    device = {"device": [("phone", "<b>desk</b>", None)[user % 3] for user in range(N_USERS)]}
    terms = Terms(k=5, n_replicates=40, exact_auc=False, attributes=device)
    measured = evaluate(models, split, rng=np.random.default_rng(3), terms=terms)
    lists = {name: measured.lists["all"][name] for name in ("popular", "again")}
    because = [Reason("had_before", 3, 1.0), *(Reason("because_of", 3, 0.5) for _ in range(4))]
    drawn = draw_users(split, "all", n=3, rng=np.random.default_rng(1))
    examples = [
        example_of(
            split,
            "all",
            user,
            user_label=f"User {number}",
            lists=lists,
            reasons={"again": because, "popular": [Reason("popular", None, 9.0)] * 5},
            item_names=ITEM_NAMES,
        )
        for number, user in enumerate(drawn, 1)
    ]
    return measured.evaluation, examples
