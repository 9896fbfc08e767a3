"""The laws of a model, over every model that we bring, each with settings for small data."""

import pytest

from endcap.models.als import ALS, ALSConfig
from endcap.models.blend.config import BlendConfig
from endcap.models.blend.ranked import RankedBlend
from endcap.models.content.model import Content, ContentConfig
from endcap.models.ease.model import EASE, EASEConfig
from endcap.models.learning.loop import LoopConfig
from endcap.models.ncf.model import NCF, NCFConfig
from endcap.models.neighbours.item_knn import ItemKNN, ItemKNNConfig
from endcap.models.neighbours.session_knn import SessionKNN, SessionKNNConfig
from endcap.models.popular import Popular
from endcap.models.ranker.config import RankerConfig
from endcap.models.repeat import Repeat
from endcap.models.sequence.config import SequenceConfig
from endcap.models.sequence.model import Sequence
from endcap.models.trending import Trending
from endcap.models.two_tower.config import TwoTowerConfig
from endcap.models.two_tower.model import TwoTower
from endcap.testing.abilities import ExplainsContract, ScoresItemsContract, TakesHistoryContract
from endcap.testing.models import PersistentContract, PersonalContract, SimilarItemsContract
from endcap.testing.training import ResumesContract
from endcap.testing.updates import UpdatesContract


class AbilitiesContract(TakesHistoryContract, ScoresItemsContract, ExplainsContract):
    """What all of our own models can do."""


class LearnsOnContract(AbilitiesContract, UpdatesContract):
    """And what those can do that learn from what is new without a fit."""


class NetworkContract(LearnsOnContract, ResumesContract):
    """And what our networks can do; their updates go on from the weights, unlike a fit."""

    update_equals_fit = False


class TestPopular(PersistentContract, LearnsOnContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        return Popular


class TestTrending(PersistentContract, LearnsOnContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        return Trending


class TestRepeat(PersistentContract, LearnsOnContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        return Repeat


class TestItemKNN(PersonalContract, PersistentContract, SimilarItemsContract, LearnsOnContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        return lambda: ItemKNN(ItemKNNConfig(n_neighbours=15, pair_half_life_days=60.0))


class TestEASE(PersonalContract, PersistentContract, SimilarItemsContract, AbilitiesContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        return lambda: EASE(EASEConfig(reg=5.0))


class TestEASENear(PersonalContract, PersistentContract, SimilarItemsContract, AbilitiesContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        return lambda: EASE(EASEConfig(reg=5.0, max_whole=0, n_near=20))


class TestSessionKNN(PersonalContract, PersistentContract, LearnsOnContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        # One session a user: the data of the suites spread over weeks.
        return lambda: SessionKNN(SessionKNNConfig(session_gap_s=100 * 86_400.0))


class TestALS(PersonalContract, PersistentContract, SimilarItemsContract, AbilitiesContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        return lambda: ALS(ALSConfig(embedding_size=8, reg=1.0, n_threads=1))


class TestTwoTower(PersonalContract, PersistentContract, SimilarItemsContract, NetworkContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        config = TwoTowerConfig(
            embedding_size=18,
            hidden=16,
            batch_size=64,
            n_negatives=32,
            epochs=12,
            learning_rate=0.02,
            n_threads=1,
        )
        return lambda: TwoTower(config)


class TestSequence(PersonalContract, PersistentContract, SimilarItemsContract, NetworkContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        config = SequenceConfig(
            embedding_size=16,
            n_blocks=1,
            dropout=0.1,
            batch_size=64,
            max_held_out=0,
            loop=LoopConfig(n_epochs=25, learning_rate=0.01, warmup_steps=10, schedule="linear"),
        )
        return lambda: Sequence(config)


class TestContent(PersonalContract, PersistentContract, SimilarItemsContract, AbilitiesContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        loop = LoopConfig(n_epochs=12, learning_rate=0.02, warmup_steps=5)
        config = ContentConfig(embedding_size=16, batch_size=64, id_dropout=0.2, loop=loop)
        return lambda: Content(config)


class TestNCF(PersonalContract, PersistentContract, SimilarItemsContract, NetworkContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        config = NCFConfig(
            embedding_size=8,
            layers=(16, 8),
            dropout=0.0,
            batch_size=64,
            loop=LoopConfig(n_epochs=25, learning_rate=0.02, schedule="linear", warmup_steps=10),
        )
        return lambda: NCF(config)


MEMBERS = {
    "item_knn": {"n_neighbours": 15},
    "als": {"embedding_size": 8, "reg": 1.0, "n_threads": 1},
}


class TestBlendOfRanks(PersonalContract, PersistentContract, TakesHistoryContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        config = BlendConfig(members=("item_knn", "als"), params=MEMBERS, learned=False)
        return lambda: RankedBlend(config)


class TestBlendByTrees(PersonalContract, PersistentContract, TakesHistoryContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_model(cls):
        trees = RankerConfig(min_users=10, min_leaf=5, max_rounds=20, n_threads=1)
        config = BlendConfig(members=("item_knn", "repeat"), params=MEMBERS, ranker=trees)
        return lambda: RankedBlend(config)
