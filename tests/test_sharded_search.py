"""Search over vectors in files: as one product would have it, whatever the number of files."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval
import torch

from benchmarks.metrics.ranking import CUTS, first_hits, first_ranks, search
from benchmarks.runs.memory import peak_memory_mb, reset_peak_memory


def _shards(folder, vectors, count):
    parts = np.array_split(vectors, count) if count < 7 else np.split(vectors, [1, 2, 90, 91, 200, 333])
    for i, part in enumerate(parts):
        np.save(folder / f"{count}-{i}.npy", part)
    return [folder / f"{count}-{i}.npy" for i in range(len(parts))]


@pytest.mark.parametrize("shards", [1, 3, 7])
@pytest.mark.parametrize("block", [64, 100, 1000])
def test_sharded_search_is_one_product_ties_included(tmp_path, shards, block):
    source = np.random.default_rng(0)
    # Whole numbers: their products are exact, and many are equal.
    vectors = source.integers(-1, 2, (345, 6)).astype(np.float16)
    queries = torch.from_numpy(source.integers(-1, 2, (9, 6))).float()
    found = search(queries, _shards(tmp_path, vectors, shards), 100, block)
    wanted = first_ranks(queries @ torch.from_numpy(vectors).float().T, 100)
    assert found.tolist() == wanted.tolist()
    assert len(np.unique((queries @ torch.from_numpy(vectors).float().T)[0])) < 20


def test_any_number_of_shards_gives_the_same_ranks_of_any_vectors(tmp_path):
    source = np.random.default_rng(1)
    vectors = source.standard_normal((345, 33)).astype(np.float16)
    queries = torch.from_numpy(source.standard_normal((1030, 33))).float()  # more than are searched for at once
    one, three, seven = (search(queries, _shards(tmp_path, vectors, n), 20, 50) for n in (1, 3, 7))
    assert (one == three).all()
    assert (one == seven).all()
    exact = queries.double() @ torch.from_numpy(vectors).double().T
    assert (one == first_ranks(exact, 20)).mean() > 0.999


def test_ranks_over_shards_are_judged_as_trec_eval_judges_them(tmp_path):
    source = np.random.default_rng(2)
    vectors = source.integers(-1, 2, (345, 5)).astype(np.float16)
    queries = torch.from_numpy(source.integers(-1, 2, (20, 5))).float()
    relevant = source.random((20, 345)) < 0.03
    names = [f"{number:05d}" for number in range(345)]
    scores = (queries @ torch.from_numpy(vectors).float().T).tolist()
    run = {str(q): dict(zip(names, row, strict=True)) for q, row in enumerate(scores)}
    qrels = {str(q): {name: int(one) for name, one in zip(names, row, strict=True)} for q, row in enumerate(relevant)}
    cuts = ",".join(map(str, CUTS))
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {f"success_{cuts}", "recip_rank"}).evaluate(run).values()
    ranked = search(queries, _shards(tmp_path, vectors, 3), 100, 64)
    ours = first_hits(np.take_along_axis(relevant, ranked, 1))
    for k in CUTS:
        assert ours[f"success_{k}"] == pytest.approx(np.mean([one[f"success_{k}"] for one in theirs]))
    assert ours["mrr_10"] == pytest.approx(np.mean([r * (r > 1 / 10.5) for r in (one["recip_rank"] for one in theirs)]))


def test_the_memory_of_a_search_does_not_know_how_many_passages_there_are(tmp_path):
    source, queries = np.random.default_rng(0), torch.randn(8, 128)
    files = [tmp_path / f"{i}.npy" for i in range(8)]
    for file in files:
        np.save(file, source.standard_normal((2**15, 128), np.float32).astype(np.float16))
    peaks = []
    for count in (1, 2, 8):  # the first to have memory what every search takes
        reset_peak_memory()
        search(queries, files[:count], block=2**12)
        peaks.append(peak_memory_mb())
    assert peaks[2] - peaks[1] < 6  # MB; the files of four times as many passages have 48 more
