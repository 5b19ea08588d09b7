"""The query generator: what it reads and copies, that its two ways of decoding agree, and where its gradient goes."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchmarks.data.wordpieces import PAD, SPECIAL_TOKENS, UNKNOWN, all_pieces
from benchmarks.networks import query_generator
from benchmarks.networks.query_generator import QueryGenerator, _to_its_end
from benchmarks.networks.sentence_encoder import SentenceEncoder
from benchmarks.validation.toys import rng, seeded

TOKENS, LENGTH, PLACES = 200, 8, 12
ROOT = SentenceEncoder.width**0.5  # length of a latent


def small(texts: torch.Tensor) -> QueryGenerator:
    """An untrained generator over passages (L, T) with vectors of no meaning."""
    special = [all_pieces()[name] for name in SPECIAL_TOKENS]
    vocabulary = np.array([*special, *range(2000, 2000 + TOKENS - len(special))])
    vectors = F.normalize(torch.randn(len(texts), 384, generator=rng(1)), dim=1)
    return seeded(lambda: QueryGenerator(vocabulary, vectors, texts, LENGTH, width=32, hidden=32, reading=16), 0)


@pytest.fixture
def generator(monkeypatch):
    """Over passages of 3 to 12 words, some unknown, with weights large enough to write several words; in float32."""
    monkeypatch.setattr(query_generator, "frozen_inference", lambda module: nullcontext())
    texts = torch.randint(4, TOKENS, (30, PLACES), generator=rng(2))
    texts[torch.rand(texts.shape, generator=rng(3)) < 0.1] = UNKNOWN
    texts[torch.arange(PLACES) >= torch.randint(3, PLACES + 1, (30, 1), generator=rng(4))] = PAD
    made = small(texts)
    for parameter in (made.narrow.weight, made.ask.weight, made.widen.weight, made.cell.weight_hh_l0):
        parameter.data.mul_(4)
    made.bias.data[PAD] = 6.0
    return made.eval().requires_grad_(False)


@pytest.fixture
def latents(generator):
    return generator.passages[:12] * ROOT + torch.randn(12, 384, generator=rng(5))


def test_queries_are_padded_behind_their_end_and_the_same_each_time(generator, latents):
    found = generator.decode(latents)
    assert found.shape == (12, LENGTH)
    lengths = (found != PAD).sum(1)
    assert len(lengths.unique()) > 2  # texts that end early beside others: rows are taken out on the way
    assert ((found != PAD) == (torch.arange(LENGTH) < lengths[:, None])).all()
    assert torch.equal(generator.decode(latents), found)
    assert torch.equal(torch.cat([generator.decode(row) for row in latents.split(1)]), found)


def test_words_written_one_by_one_are_the_likeliest_of_all_at_once(generator, latents):
    found = generator.decode(latents)
    pages = generator.pages(latents, generator.nearest(latents))
    kind = torch.zeros(12, dtype=torch.long)
    told, copied = generator.forced(*generator.opening(latents), pages, found, kind)
    shares = generator.shares(told, copied, pages)
    torch.testing.assert_close(shares.sum(2), torch.ones(12, LENGTH))
    places = _to_its_end(found)
    assert torch.equal(shares.argmax(2)[places], found[places])


def test_soft_queries_are_the_decoded_ones_and_carry_a_gradient(generator, latents):
    hard = generator.decode(latents)
    latents.requires_grad_()
    soft = generator.decode(latents)
    assert torch.equal(soft.argmax(-1), hard[:, : soft.shape[1]])
    torch.testing.assert_close(soft.sum(-1), torch.ones(soft.shape[:2]))
    generator.encoder(soft).sum(1).square().sum().backward()
    empty = (hard == PAD).all(1)
    assert not empty.all()
    assert torch.equal(latents.grad.abs().sum(1) > 0, ~empty)


def test_each_way_of_the_gradient_reaches_the_latent(generator, latents):
    latents.requires_grad_()
    pages = generator.pages(latents, generator.nearest(latents))
    about, state = generator.opening(latents)
    for part in (about, state, pages.weight.masked_fill(pages.weight.isinf(), 0.0)):
        (gradient,) = torch.autograd.grad(part.square().sum(), latents, retain_graph=True)
        assert (gradient.abs().sum(1) > 0).all()


def test_the_nearest_passages_are_read_by_their_shares(generator, latents):
    chosen = generator.nearest(latents)
    cosines = F.cosine_similarity(latents[:, None], generator.passages[None], dim=2)
    assert torch.equal(chosen, cosines.argsort(1, descending=True)[:, : generator.near])
    pages = generator.pages(latents, chosen)
    texts = generator.texts[chosen].long()
    length = pages.tokens.shape[1] // generator.near
    assert torch.equal(pages.tokens.unflatten(1, (-1, length)), texts[:, :, :length])
    wanted = (20 * cosines.gather(1, chosen)).softmax(1)[:, :, None].expand(-1, -1, length)
    found = pages.weight.exp().unflatten(1, (-1, length))
    readable = (texts != PAD) & (texts != UNKNOWN)
    torch.testing.assert_close(found, wanted * readable[:, :, :length])


def test_ways_to_write_a_word_add_up(generator, latents):
    tokens = torch.tensor([[7, 9, 7]])
    pages = query_generator.Pages(tokens, torch.zeros(1, 3, 16), tokens, torch.zeros(1, 3))
    logits = torch.full((1, TOKENS), -9.0)
    logits[0, 5] = 1.0
    for copied, wanted in (([0.5, 0.9, 0.5], 7), ([0.2, 0.9, 0.2], 5), ([0.2, 1.1, 0.2], 9)):
        assert generator._likeliest(logits, torch.tensor([copied]), pages).item() == wanted


def test_what_comes_is_decided_up_to_the_end():
    text = torch.tensor([[4, 5, 0, 0], [4, 5, 6, 7]])
    assert _to_its_end(text).tolist() == [[True, True, True, False], [True] * 4]


def test_a_sampled_softmax_over_all_words_is_the_softmax(generator, latents):
    pages = generator.pages(latents, generator.nearest(latents))
    wanted = torch.cat([pages.tokens[:6, 0], torch.tensor([4, 5, 5, 6, 0, 7])])  # to be copied, and perhaps not
    told, copied = torch.randn(12, 32, generator=rng(6)), torch.randn(pages.weight.shape, generator=rng(7)) * 3
    copied = copied + pages.weight
    shares = generator.shares(told[:, None], copied[:, None], pages)[:, 0]
    whole = -shares.gather(1, wanted[:, None]).log().mean()
    torch.testing.assert_close(generator._sampled_loss(told, copied, pages.tokens, wanted, rng(2)), whole)
    generator.sampled = 5  # some of them: right on average
    drawn = [generator._sampled_loss(told, copied, pages.tokens, wanted, rng(seed)) for seed in range(300)]
    assert abs(torch.stack(drawn).mean() - whole) < 0.05


def test_the_own_passage_is_read_where_it_was_not_found(generator, monkeypatch):
    seen = []
    pages = generator.pages
    monkeypatch.setattr(generator, "pages", lambda latents, chosen: seen.append(chosen) or pages(latents, chosen))
    text, kind, own = torch.randint(4, 9, (30, LENGTH), generator=rng(8)), torch.zeros(30).long(), torch.arange(30)
    far = generator.passages.roll(1, 0) * ROOT
    for share, none in ((1.0, False), (0.0, False), (1.0, True)):
        generator.shown = share
        generator.loss(far, text, kind, torch.full_like(own, -1) if none else own, rng(9))
    shown, hidden, without = ((chosen == own[:, None]) for chosen in seen)
    assert shown.any(1).all()
    assert not hidden[:, :2].logical_xor(shown[:, :2]).any()  # only the last place is given to it
    assert not hidden.any(1).all()
    assert torch.equal(seen[1], seen[2])
    assert not without.any(1).all()


def test_a_rare_word_is_copied_out_of_the_passage():
    """Queries name the word behind a sign in the passage. No query that is trained on has a word of the second half."""
    sign, half = 4, TOKENS // 2
    texts = torch.randint(5, 30, (120, PLACES), generator=rng(10))
    at = torch.randint(0, PLACES - 1, (120,), generator=rng(11))
    rows = torch.arange(120)
    named = torch.cat([torch.randint(30, half, (80,), generator=rng(12)), torch.randint(half, TOKENS, (40,))])
    texts[rows, at], texts[rows, at + 1] = sign, named
    generator = small(texts)
    queries = F.pad(torch.stack([torch.full((120,), 6), named], 1), (0, LENGTH - 2))
    latents, source = generator.passages * ROOT, rng(13)
    optimiser = torch.optim.AdamW([p for p in generator.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(150):
        chosen = torch.randint(80, (32,), generator=source)
        optimiser.zero_grad()
        kind = torch.zeros(32, dtype=torch.long)
        generator.loss(latents[chosen], queries[chosen], kind, chosen, source).backward()
        optimiser.step()
    generator.eval().requires_grad_(False)
    found = generator.decode(latents[80:])
    assert (found[:, 1] == named[80:]).float().mean() > 0.9
