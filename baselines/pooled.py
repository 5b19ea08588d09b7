"""The rivals that make samples of their own, with these kept in a pool as `tgt.pooled` does: equally many for all."""

from __future__ import annotations

from dataclasses import dataclass

from baselines.augmentation import Augmentation
from baselines.distillation_unlabelled import UnlabelledDistillation
from baselines.interpolation import Interpolation
from baselines.prior_only import PriorOnly
from baselines.prior_sampling import PriorSampling, PriorSamplingConfig
from baselines.substitution import Substitution, SubstitutionConfig
from tgt.pooled import Pool, PoolConfig


@dataclass(frozen=True)
class PooledPriorConfig(PriorSamplingConfig, PoolConfig):
    pass


@dataclass(frozen=True)
class PooledSubstitutionConfig(SubstitutionConfig, PoolConfig):
    pass


class PooledPriorSampling(Pool, PriorSampling):
    Config = PooledPriorConfig


class PooledPriorOnly(Pool, PriorOnly):
    Config = PooledPriorConfig


class PooledInterpolation(Pool, Interpolation):
    Config = PoolConfig


class PooledAugmentation(Pool, Augmentation):
    Config = PoolConfig


class PooledSubstitution(Pool, Substitution):
    Config = PooledSubstitutionConfig


class PooledUnlabelledDistillation(Pool, UnlabelledDistillation):
    Config = PoolConfig
