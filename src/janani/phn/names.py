"""Names as they are compared: folded, and by how their words sound. Plain functions on text."""

import re
import unicodedata

from rapidfuzz import fuzz

# Spellings of one sound in Sri Lankan names written in Latin letters: Malini/Malani, Jayawardena/Jayawardhana,
# Fathima/Fatima, Wijesinghe/Vijesingha. What the ear does not tell apart becomes one letter; then vowels go.
_SOUNDS = (("ph", "f"), ("ck", "k"), ("c", "k"), ("q", "k"), ("z", "s"), ("w", "v"), ("x", "ks"))
_LATIN = re.compile(r"^[a-z]+$")


def folded(name: str) -> str:
    """Lower case, Latin letters without accents, words with one blank between; other scripts keep their signs.

    A dot ends a word: W.M.Kumari is W. M. Kumari.
    """
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = []
    base = ""
    for character in decomposed:
        if unicodedata.combining(character) and base.isascii():
            continue
        base = character
        keep = character.isalnum() or unicodedata.category(character).startswith("M")
        letters.append(character if keep else "" if character in "'’\u200d\u200c" and base else " ")
    return unicodedata.normalize("NFC", " ".join("".join(letters).split()))


def sound(word: str) -> str:
    """How a folded word sounds; words of other scripts stand for themselves."""
    if not _LATIN.match(word):
        return word
    for written, heard in _SOUNDS:
        word = word.replace(written, heard)
    first, rest = word[0], re.sub(r"[aeiouyh]", "", word[1:])
    return re.sub(r"(.)\1+", r"\1", ("a" if first in "aeiouy" else first) + rest)


def keys(name: str) -> list[str]:
    """The sounds of the words of `name`, sorted, each once; initials are left out."""
    return sorted({sound(word) for word in folded(name).split() if len(word) > 1})


def similarity(one: str, other: str) -> float:
    """How alike two folded names are, 0 to 1, whatever the order of their words; alike in sound is at least 0.9."""
    if not one or not other:
        return 0.0
    ratio = fuzz.token_sort_ratio(one, other) / 100
    ours, theirs = keys(one), keys(other)
    return max(ratio, 0.9) if ours and ours == theirs else ratio
