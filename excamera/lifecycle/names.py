"""The legible part of a job's name, in the few signs that all who use the name take.

Step Functions takes other alphabets in the name of an execution, but CloudWatch does not, and the
name is also a part of URLs, of keys in S3 and of what people type. So it has ASCII letters, digits
and hyphens only.
"""

from __future__ import annotations

import itertools
import unicodedata

_LONGEST = 40

# Latin letters that Unicode does not divide into a letter of ASCII and a mark.
_LATIN = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d",
        "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ł": "l", "Ł": "L", "ħ": "h",
        "Ħ": "H", "\N{LATIN SMALL LETTER DOTLESS I}": "i", "ŋ": "n", "Ŋ": "N",
    }
)  # fmt: skip


def legible(text: str) -> str:
    """A text in at most 40 ASCII letters, digits and hyphens.

    Latin letters lose their marks. A word in another alphabet is encoded as in the name of an
    internet domain (``xn--`` and Punycode), from which it can be read back.

    Args:
        text: any text.

    Returns:
        Its words, with a hyphen between two, cut where the room ends; an encoded word is left out
        if it does not fit as a whole. Empty if the text has no word.
    """
    fitting = ""
    for word in _words(unicodedata.normalize("NFC", text)):
        plain = _in_ascii(word)
        longer = "-".join(filter(None, (fitting, plain or _encoded(word))))
        if len(longer) > _LONGEST:
            return longer[:_LONGEST].strip("-") if plain else fitting
        fitting = longer
    return fitting


def _words(text: str) -> list[str]:
    """The runs of letters and digits, with their marks."""
    runs = itertools.groupby(text, lambda sign: unicodedata.category(sign)[0] in "LMN")
    return ["".join(run) for of_word, run in runs if of_word]


def _in_ascii(word: str) -> str | None:
    """A word without its marks, or None if it needs another alphabet."""
    divided = unicodedata.normalize("NFKD", word.translate(_LATIN))
    plain = "".join(sign for sign in divided if not unicodedata.category(sign).startswith("M"))
    return plain if plain.isascii() and plain.isalnum() else None


def _encoded(word: str) -> str:
    """A word as a label of a domain's name; as much of its beginning as there is room for."""
    while len(label := "xn--" + word.lower().encode("punycode").decode()) > _LONGEST:
        word = word[:-1]
    return label
