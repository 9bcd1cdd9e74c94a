"""Sentences of the invented reports and answers."""

from cxrkit.data.synthetic.catalogue import ENTITIES

_VOWELS = "aeiou"
_CHANGE_SENTENCES = {
    "new": "It is new since the previous film.",
    "unchanged": "It has not changed since the previous film.",
    "worse": "It has increased since the previous film.",
    "improved": "It has decreased since the previous film.",
}


def capitalized(text: str) -> str:
    """Gives the text with its first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]


def joined(words: list[str]) -> str:
    """Joins words as in a sentence.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def described(noun: str, adjectives: list[str]) -> str:
    """Puts adjectives into a noun with or without an article.

    >>> described("a pleural effusion", ["small", "left"]), described("an abscess", ["big"])
    ('a small left pleural effusion', 'a big abscess')
    """
    article, _, rest = noun.partition(" ")
    if article not in ("a", "an"):
        return " ".join([*adjectives, noun])
    phrase = " ".join([*adjectives, rest])
    return f"{'an' if phrase[0] in _VOWELS else 'a'} {phrase}"


def in_regions(regions: tuple[str, ...]) -> str:
    """Names places in a sentence: "the left lung and the heart"."""
    return joined([f"the {name}" for name in regions])


def positive_sentence(entity: str, adjectives: list[str], regions: tuple[str, ...], certain: bool) -> str:
    """Says that something is there, where, and whether the reader is sure."""
    thing = described(ENTITIES[entity].noun, adjectives)
    return f"There {'is' if certain else 'may be'} {thing} in {in_regions(regions)}."


def negative_sentence(entity: str) -> str:
    """Says that something is not there."""
    if entity == "cardiomegaly":
        return "The heart is not enlarged."
    if entity == "mediastinal widening":
        return "The mediastinum is not widened."
    return f"There is no {bare_noun(entity)}."


def listed(entities: list[str]) -> str:
    """Names entities in a sentence, with their articles."""
    return joined([ENTITIES[entity].noun for entity in entities])


def bare_noun(entity: str) -> str:
    """Gives the entity's noun without its article."""
    return ENTITIES[entity].noun.removeprefix("a ").removeprefix("an ")


def change_sentence(change: str | None) -> str | None:
    """Gives the sentence about the change since the previous study."""
    return None if change is None else _CHANGE_SENTENCES[change]
