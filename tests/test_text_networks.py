"""Text networks: tokens and distributions mean the same, padding is no text, a gradient reaches the latent."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchmarks.data.texts import MINILM, unpack
from benchmarks.data.wordpieces import CLS, PAD, SPECIAL, word_pieces
from benchmarks.networks.text import MiniLM, TextAutoencoder, TextLabeler, TextStudent, mean_of_present, present

SENTENCES = [
    "a funny and moving film",
    "this movie is hilarious and touching",
    "the stock market fell sharply on monday",
]
LENGTH = 12


@pytest.fixture(scope="module")
def vocabulary() -> np.ndarray:
    pieces = {piece: i for i, piece in enumerate(unpack(MINILM.load()["vocabulary"]))}
    special = [pieces[name] for name in SPECIAL]
    return np.array([*special, *np.setdiff1d(np.unique(word_pieces(SENTENCES, LENGTH)), special)])


@pytest.fixture(scope="module")
def texts(vocabulary) -> torch.Tensor:
    rank = {piece: i for i, piece in enumerate(vocabulary.tolist())}
    return torch.tensor([[rank[piece] for piece in row] for row in word_pieces(SENTENCES, LENGTH).tolist()])


def networks(vocabulary):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {
            "student": TextStudent(len(vocabulary), LENGTH, 5, width=16).eval(),
            "labeler": TextLabeler(vocabulary, 5, layers=1).eval(),
        }


def test_pretrained_states_know_what_is_alike(vocabulary, texts):
    with torch.no_grad():
        means = mean_of_present(MiniLM(vocabulary, layers=6).eval()(texts), present(texts))
    alike = F.cosine_similarity(means[0], means[1], dim=0)
    apart = F.cosine_similarity(means[0], means[2], dim=0)
    assert alike > apart + 0.3


@pytest.mark.parametrize("name", ["student", "labeler"])
def test_tokens_and_one_hot_rows_give_the_same_logits(name, vocabulary, texts):
    network = networks(vocabulary)[name]
    with torch.no_grad():
        torch.testing.assert_close(network(texts), network(F.one_hot(texts, len(vocabulary)).float()))


@pytest.mark.parametrize("name", ["student", "labeler"])
def test_words_behind_padding_do_not_exist(name, vocabulary, texts):
    """What a padded place holds in its embedding changes nothing, and an empty text has finite logits."""
    network = networks(vocabulary)[name]
    table = network.words.weight if name == "student" else network.body.table
    with torch.no_grad():
        before = network(texts)
        table[PAD] += 10.0
        torch.testing.assert_close(network(texts), before)
        assert network(torch.zeros_like(texts)).isfinite().all()


@pytest.mark.parametrize("name", ["student", "labeler"])
def test_texts_of_all_lengths_pass_together_as_they_do_alone(name, vocabulary):
    """More of them than pass through a network at once, in no order of length."""
    rng = np.random.default_rng(0)
    words = rng.integers(len(SPECIAL), len(vocabulary), (70, LENGTH))
    many = torch.from_numpy(np.where(np.arange(LENGTH) < rng.integers(1, LENGTH + 1, (70, 1)), words, PAD))
    network = networks(vocabulary)[name]
    with torch.no_grad():
        alone = torch.cat([network(many[i : i + 1]) for i in range(len(many))])
        torch.testing.assert_close(network(many), alone, atol=1e-5 if name == "student" else 0.02, rtol=0)


def test_a_decoded_text_is_the_same_with_and_without_a_gradient_that_reaches_the_latent(vocabulary, texts):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        generator = TextAutoencoder(vocabulary, LENGTH, latent=8, width=16, layers=1).eval().requires_grad_(False)
    latents = generator.encode(texts)
    torch.testing.assert_close(latents.mean(-1), torch.zeros(latents.shape[:2]), atol=1e-5, rtol=0)
    tokens = generator.decode(latents)
    rows = generator.decode(latents.requires_grad_())
    assert torch.equal(rows.argmax(-1), tokens)
    torch.testing.assert_close(rows.detach(), F.one_hot(tokens, len(vocabulary)).float())
    logits = networks(vocabulary)["labeler"](rows)
    (gradient,) = torch.autograd.grad(logits.square().sum(), latents)
    assert gradient.abs().sum() > 0
    assert gradient.isfinite().all()


def test_the_token_before_a_text_is_never_part_of_one(texts):
    assert (texts != CLS).all()
