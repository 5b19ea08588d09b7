"""Any model of sentence-transformers where a task has its own sentence encoder, and query generators with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.data.wordpieces import PAD, UNKNOWN
from benchmarks.networks.query_generator import QueryGenerator
from benchmarks.networks.sentence_encoder import SentenceEncoder
from benchmarks.networks.text import embed, enclosed, lengths, present
from tgt.hub_text import DenoisingGenerator


def token_ids(model: Any, texts: Sequence[str], length: int) -> np.ndarray:
    """Ids (N, length) of the model's own tokens, none special, cut or padded."""
    tokenizer = model.tokenizer
    found = np.full((len(texts), length), tokenizer.pad_token_id, np.int32)
    for start in range(0, len(texts), 4096):
        part = list(texts[start : start + 4096])
        encoded = tokenizer(part, add_special_tokens=False, truncation=True, max_length=length)
        for row, ids in zip(found[start:], encoded["input_ids"], strict=False):
            row[: len(ids)] = ids
    return found


class Vocabulary:
    """Tokens of a task for those of a model: 0 is padding, 1 is unknown, then what occurs in texts, ids (N, T).

    Attributes:
        ids: the model's id behind each token of ours (V,).
    """

    def __init__(self, model: Any, *texts: np.ndarray) -> None:
        tokenizer = model.tokenizer
        first = [tokenizer.pad_token_id, tokenizer.unk_token_id]
        seen = np.unique(np.concatenate([np.unique(part) for part in texts]))
        self.ids = np.concatenate([first, np.setdiff1d(seen, first)])
        self._token = np.full(max(len(tokenizer), self.ids.max() + 1), UNKNOWN, np.int32)
        self._token[self.ids] = np.arange(len(self.ids))
        self._token[first[0]] = PAD

    def of(self, ids: np.ndarray) -> np.ndarray:
        return self._token[ids]


class GivenEncoder(SentenceEncoder):
    """A model of sentence-transformers: tokens (B, T) or distributions over the vocabulary (B, T, V) -> unit vectors.

    Each text stands between what the model's tokenizer puts around it. Scores are cosines, whatever it was trained for.

    Args:
        vocabulary: the model's id behind each token of ours (V,), 0 for padding.
    """

    table: Tensor  # type: ignore[assignment]
    begin: Tensor
    end: Tensor

    def __init__(self, vocabulary: np.ndarray, model: Any) -> None:
        nn.Module.__init__(self)
        self.model = model
        self.width = model.get_embedding_dimension()
        words = model[0].auto_model.get_input_embeddings().weight.detach()
        around = model.tokenizer("a", return_special_tokens_mask=True)
        ids, first = around["input_ids"], around["special_tokens_mask"].index(0)
        last = len(ids) - around["special_tokens_mask"][::-1].index(0)
        for name, rows in (("table", vocabulary), ("begin", ids[:first]), ("end", ids[last:])):
            self.register_buffer(name, words[torch.as_tensor(rows, dtype=torch.long)].clone())
        for part in model.modules():
            if hasattr(part, "name_or_path"):
                part.name_or_path = ""  # no part of what the network is: a folder may be moved

    def _means(self, text: Tensor, mask: Tensor) -> Tensor:
        words, mask = enclosed(embed(text, self.table), mask, self.begin, self.end)
        return self.model({"inputs_embeds": words, "attention_mask": mask.long()})["sentence_embedding"]


class GivenQueryGenerator(QueryGenerator):
    """A query generator over a given encoder, which its file does not repeat; nor the passages' vectors.

    Attributes:
        over: hash of the encoder and the passages, so that over others it is another.
    """

    def __init__(self, over: str, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.over = over

    def state_dict(self, *args: Any, **more: Any) -> Any:
        found = super().state_dict(*args, **more)
        return {name: tensor for name, tensor in found.items() if not name.startswith(("encoder.", "passages"))}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        return super().load_state_dict({**super().state_dict(), **state_dict}, strict, assign)


class GivenWriter(nn.Module):
    """A denoising model that reads and writes a sentence encoder's words, such as BART, as a query generator.

    Queries are tokens (B, T) of the task, or decoded rows (B, T', V) over them; a word that is none of the task's is
    unknown. Latents are those of `DenoisingGenerator`; there is no prior.

    Args:
        vocabulary: the model's id behind each token of ours (V,).
    """

    ids: Tensor
    token: Tensor

    def __init__(self, writer: DenoisingGenerator, vocabulary: np.ndarray) -> None:
        super().__init__()
        self.writer = writer
        ids = torch.from_numpy(vocabulary.astype(np.int64))
        token = torch.full((len(writer.barred),), UNKNOWN)
        token[ids] = torch.arange(len(ids))
        token[[writer.vocabulary.padding, writer.begin, writer.end]] = PAD
        self.register_buffer("ids", ids)
        self.register_buffer("token", token)

    def encode(self, query: Tensor) -> Tensor:
        return self.writer.encode(framed(self.ids[query], present(query), self.writer.vocabulary))

    def decode(self, latents: Tensor) -> Tensor:
        found = self.writer.decode(latents)[:, 1 : latents.shape[1] - 1]  # without the begin, and the last end
        if not found.is_floating_point():
            return self.token[found]
        return found.new_zeros(*found.shape[:2], len(self.ids)).index_add(2, self.token, found)


def framed(ids: Tensor, mask: Tensor, vocabulary: Any) -> Tensor:
    """Texts (B, T) with their begin and end (B, T + 2). vocabulary: `tgt.Vocabulary` of the ids."""
    text = F.pad(ids.masked_fill(~mask, vocabulary.padding), (1, 1), value=vocabulary.padding)
    text[:, 0] = vocabulary.begin
    return text.scatter(1, 1 + lengths(mask)[:, None], vocabulary.end)
