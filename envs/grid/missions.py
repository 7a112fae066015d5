"""Mission texts as token ids: what the pixels cannot say, in a form that a network reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TOKENS = 20  # tokens of a mission, padded with 0

# Token ids are places in this tuple, for ever: append, never insert.
_TEXT = """
a all and avoid ball blue box door fetch find first get go goal green grey in key lava lot matching near next
object of one open opening pick purple put reach red room rooms square start the then to traverse up use with
yellow you must from unlock after behind left right front on your maze end hallway
"""
_WORDS = ("", *_TEXT.split())
VOCABULARY_SIZE = 128  # ids from len(_WORDS) on are for words of users' own tasks

_ids = {word: number for number, word in enumerate(_WORDS)}


def words_of(text: str) -> list[str]:
    """Lower-case words of a mission, without punctuation."""
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def tokenize(texts: Sequence[str]) -> NDArray[np.int64]:
    """(len(texts), TOKENS) int64 token ids. Unknown words get the next free ids, in order of appearance.

    Raises:
        ValueError: a text has more than TOKENS words, or the vocabulary is full.
    """
    table = np.zeros((len(texts), TOKENS), np.int64)
    for row, text in enumerate(texts):
        words = words_of(text)
        if len(words) > TOKENS:
            raise ValueError(f"a mission has at most {TOKENS} words, got {len(words)}: {text!r}")
        for column, word in enumerate(words):
            if word not in _ids and len(_ids) == VOCABULARY_SIZE:
                raise ValueError(f"the vocabulary of {VOCABULARY_SIZE} words is full at {word!r}")
            table[row, column] = _ids.setdefault(word, len(_ids))
    return table


def detokenize(tokens: NDArray[np.int64]) -> str:
    """The words of a row of token ids, joined by blanks."""
    words = list(_ids)
    return " ".join(words[token] for token in tokens if token)
