"""Text models from a folder or a revision of a hub: BART and its like as generators, RoBERTa and others as classifiers.

BART is Lewis et al. 2020 (arXiv 1910.13461); one-hot rows with the distributions' gradient are Bengio et al. 2013.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tgt.hub import TextLabeler, pinned
from tgt.vocabulary import Vocabulary, one_hot

_HEAD = ("classifier.", "pre_classifier.", "score.")  # names of a classifier's last layers


class DenoisingGenerator(nn.Module):
    """A denoising sequence-to-sequence model of transformers, such as BART, as a generator of texts.

    Texts are tokens (B, T) as its tokenizer writes them: `<s> a </s>`, or `<s> a </s></s> b </s>` of a pair. Latents
    (B, T, d + 3) are the encoder's states in units of their spread, and behind them the text's layout: `apart` at the
    padding's, the first or the second text's number, far enough that noise changes none. There is no prior.

    A decoded text is as greedy decoding writes it, but that each text of a pair ends where the model ends it, at the
    latest with as many tokens as its source has; separators and ends are then written, whatever the model makes of it.

    Args:
        texts: (N, T) that the spread is measured on: one number, and three digits of it, for the others differ between
            machines and a teacher is known by all numbers that it holds.
    """

    apart = 1000.0
    micro_batch = 8  # texts whose gradient is taken together: their rows over the vocabulary take 0.4 GB at 256 tokens
    spread: Tensor
    barred: Tensor

    def __init__(self, model: Any, vocabulary: Vocabulary, texts: Tensor) -> None:
        super().__init__()
        if vocabulary.begin is None or vocabulary.end is None:
            raise ValueError("texts need a begin and an end, or nothing tells how far to write")
        self.model, self.vocabulary = model.eval(), vocabulary
        self.begin, self.end = vocabulary.begin, vocabulary.end
        barred = torch.zeros(model.config.vocab_size, dtype=torch.bool)
        none = vocabulary.padding, vocabulary.unknown, self.begin, vocabulary.mask
        barred[[token for token in none if token is not None]] = True
        self.register_buffer("barred", barred)
        self.register_buffer("spread", torch.ones(()))
        with torch.no_grad():
            latents = self.encode(texts)
            spread = self.states(latents)[self.layout(latents) > 0].var(0).mean().sqrt()
            self.spread.fill_(float(f"{spread.item():.3g}"))

    def encode(self, text: Tensor) -> Tensor:
        mask, end = text != self.vocabulary.padding, text == self.end
        second = F.pad(end[:, 1:] & end[:, :-1], (1, 0)).cumsum(1).clamp_max(1)  # from its separator on
        states = self.model.get_encoder()(input_ids=text, attention_mask=mask.long()).last_hidden_state
        return torch.cat([states / self.spread, self.apart * F.one_hot((1 + second) * mask, 3)], -1)

    def states(self, latents: Tensor) -> Tensor:
        """What latents say of the words (B, T, d), without the layout."""
        return latents[..., :-3]

    def layout(self, latents: Tensor) -> Tensor:
        """Of each place (B, T): 0 padding, 1 the first text, 2 the second one of a pair."""
        return latents[..., -3:].argmax(-1)

    def decode(self, latents: Tensor) -> Tensor:
        """Tokens (B, T); where a gradient is asked for, as one-hot rows (B, T', V) that carry it, cut to the longest.

        The gradient is that of the distributions of a second pass, which is given the words before each, straight
        through the choice.
        """
        states, layout = self.states(latents) * self.spread, self.layout(latents)
        text, free = self._write(states, layout)
        if not latents.requires_grad:
            return text
        longest = int((text != self.vocabulary.padding).sum(1).max())
        text, free = text[:, :longest], free[:, :longest]
        before = F.pad(text, (1, 0), value=self.model.config.decoder_start_token_id)[:, :-1]
        soft = self._scores(before, states, layout > 0)[0].softmax(-1)
        return one_hot(text, soft) + (soft - soft.detach()) * free[..., None]

    def _scores(self, before: Tensor, states: Tensor, mask: Tensor, cache: Any = None, keep: bool = False) -> tuple:
        """Scores (B, S, V) of what stands behind words (B, S), -inf of what is no word; the state to go on from."""
        found = self.model.get_decoder()(
            input_ids=before,
            encoder_hidden_states=states,
            encoder_attention_mask=mask.long(),
            past_key_values=cache,
            use_cache=keep,
        )
        scores = self.model.lm_head(found.last_hidden_state) + self.model.final_logits_bias
        return scores.masked_fill(self.barred, -torch.inf), found.past_key_values

    @torch.no_grad()
    def _write(self, states: Tensor, layout: Tensor) -> tuple[Tensor, Tensor]:
        """The likeliest words (B, T), one after the other, and at which places the model had the choice (B, T)."""
        text = torch.full(layout.shape, self.vocabulary.padding, device=states.device)
        free = torch.zeros_like(text, dtype=torch.bool)
        room = torch.stack([(layout == number).sum(1) for number in (1, 2)], 1)  # of each text, its ends with it
        number, used = torch.zeros_like(room[:, 0]), torch.zeros_like(room[:, 0])
        last, cache = torch.full_like(text[:, :1], self.model.config.decoder_start_token_id), None
        for place in range(text.shape[1]):
            going = number < (room > 0).sum(1)
            if not going.any():
                break
            scores, cache = self._scores(last, states, layout > 0, cache, keep=True)
            opens, full = used == 0, used + 1 >= room.gather(1, number.clamp_max(1)[:, None])[:, 0]
            found = torch.where(full, self.end, scores[:, -1].argmax(-1))
            found = torch.where(opens, torch.where(number == 0, self.begin, self.end), found)
            text[:, place] = torch.where(going, found, self.vocabulary.padding)
            free[:, place] = going & ~opens & ~full
            closed = going & ~opens & (found == self.end)
            number, used = number + closed.long(), torch.where(closed, 0, used + 1)
            last = text[:, place, None]
        return text, free


def text_classifier(
    name: str, revision: str | None = None, classes: Sequence[str] = (), new_head: bool = False, random: bool = False
) -> TextLabeler:
    """A classifier of texts, labeler or student, from safetensors in a folder or at a revision of a hub's id.

    Args:
        classes: names of the classes, in whose order logits are to be; a model that does not name them keeps its own.
        new_head: for these classes, in place of the model's own. random: of the model its sizes alone.

    Raises:
        ValueError: a hub's id without the 40 digits of a revision; a model without weights that are needed.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    more = {"num_labels": len(classes)} if new_head or random else {}
    config = AutoConfig.from_pretrained(name, **pinned(name, revision), **more)
    if random:
        model = AutoModelForSequenceClassification.from_config(config)
    else:
        model = _loaded(AutoModelForSequenceClassification, name, revision, _HEAD if new_head else (), config=config)
    own = [str(config.id2label[i]).lower() for i in range(config.num_labels)]
    wanted = [word.lower() for word in classes]
    order = [own.index(word) for word in wanted] if sorted(own) == sorted(wanted) else None
    return TextLabeler(model, config.pad_token_id or 0, order)


def denoising_generator(
    name: str, vocabulary: Vocabulary, texts: Tensor, revision: str | None = None
) -> DenoisingGenerator:
    """BART or another of its kind, from where `text_classifier` has its models; see `DenoisingGenerator`."""
    from transformers import AutoModelForSeq2SeqLM

    return DenoisingGenerator(_loaded(AutoModelForSeq2SeqLM, name, revision), vocabulary, texts)


def _loaded(kind: Any, name: str, revision: str | None, new: tuple[str, ...] = (), **more: Any) -> Any:
    """A model of safetensors in float32, which forgets where it lay: equal weights are one model wherever they are.

    new: what the names of weights begin with that may be missing. Raises ValueError for others that are.
    """
    from transformers import logging

    more |= {"use_safetensors": True, "dtype": torch.float32, "output_loading_info": True, **pinned(name, revision)}
    shown = logging.get_verbosity()
    logging.set_verbosity_error()  # a table of what was left over, where what is missing is all that matters
    try:
        model, info = kind.from_pretrained(name, **more)
    finally:
        logging.set_verbosity(shown)
    if absent := [key for key in sorted(info["missing_keys"]) if not key.startswith(new)]:
        raise ValueError(f"{name} lacks {len(absent)} weights of a {type(model).__name__}, such as {absent[0]}")
    for part in model.modules():
        if hasattr(part, "name_or_path"):
            part.name_or_path = ""
    return model
