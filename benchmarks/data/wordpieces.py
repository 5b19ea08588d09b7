"""Word pieces of the pretrained encoder, and the small vocabularies that a task's networks share."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from benchmarks.data.texts import MINILM, unpack

SPECIAL = ("[PAD]", "[UNK]", "[CLS]")  # the first tokens; the last stands before a text where a network wants it
PAD, UNKNOWN, CLS = range(3)
MIN_COUNT = 3  # of a word piece in the text that is trained on, or it is unknown
#: Of retrieval, where a network reads passages too.
SPECIAL_TOKENS = (*SPECIAL, "[SEP]")
PASSAGE_LENGTH = 128  # word pieces of a passage; half of them are shorter than 100


def vocabulary_of(trained: np.ndarray, special: tuple[str, ...] = SPECIAL, min_count: int = MIN_COUNT) -> np.ndarray:
    """Our vocabulary (V,): `special` first, then the pieces that occur at least `min_count` times in `trained`."""
    first = np.array([all_pieces()[name] for name in special])
    frequent = np.flatnonzero(np.bincount(trained.ravel(), minlength=len(all_pieces())) >= min_count)
    return np.concatenate([first, np.setdiff1d(frequent, first)])


def in_vocabulary(found: np.ndarray, vocabulary: np.ndarray) -> np.ndarray:
    """Word pieces as tokens of our vocabulary, int32 of the same shape."""
    token = np.full(len(all_pieces()), UNKNOWN, np.int32)
    token[vocabulary] = np.arange(len(vocabulary))
    return token[found]


@lru_cache(maxsize=1)
def all_pieces() -> dict[str, int]:
    return {piece: i for i, piece in enumerate(unpack(MINILM.load()["vocabulary"]))}


def word_pieces(texts: list[str], length: int) -> np.ndarray:
    """WordPiece ids (N, length) of the pretrained encoder's own vocabulary, cut or padded; no [CLS], no [SEP]."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    tokenizer = Tokenizer(WordPiece(all_pieces(), unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(pad_id=all_pieces()["[PAD]"], pad_token="[PAD]", length=length)
    encoded = tokenizer.encode_batch(texts)
    return np.array([one.ids for one in encoded], np.int32).reshape(len(texts), length)


def words_of(tokens: np.ndarray, vocabulary: np.ndarray) -> str:
    """A readable sentence from tokens (T,) of a vocabulary (V,)."""
    names = list(all_pieces())
    words = " ".join(names[vocabulary[token]] for token in tokens if token != PAD)
    return words.replace(" ##", "")
