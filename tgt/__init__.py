"""Teacher-guided training: a frozen generator and a frozen labeler teach a compact student."""

from tgt.costs import Costs
from tgt.explore import ascend, isotropic, project
from tgt.features import features, head, start_anew
from tgt.guided import TGT, TGTConfig
from tgt.losses import DISTANCES, kl, mse, soft_cross_entropy
from tgt.method import DISTILLATION_SEARCH, LEARNING_RATES, Batch, Method, MethodConfig, TrainingData, View
from tgt.pooled import Pool, PoolConfig, PooledTGT, PooledTGTConfig
from tgt.teacher import Generator, Teacher, freeze
from tgt.vocabulary import Vocabulary, one_hot

__all__ = [
    "DISTANCES",
    "DISTILLATION_SEARCH",
    "LEARNING_RATES",
    "TGT",
    "Batch",
    "Costs",
    "Generator",
    "Method",
    "MethodConfig",
    "Pool",
    "PoolConfig",
    "PooledTGT",
    "PooledTGTConfig",
    "TGTConfig",
    "Teacher",
    "TrainingData",
    "View",
    "Vocabulary",
    "ascend",
    "features",
    "freeze",
    "head",
    "isotropic",
    "kl",
    "mse",
    "one_hot",
    "project",
    "soft_cross_entropy",
    "start_anew",
]
