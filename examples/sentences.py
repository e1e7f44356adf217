"""Labelled opinions made from templates: what the sentiment classifier learns from. Called by `sentiment`."""

import random
import string
from itertools import product

GOOD = (
    "great", "good", "excellent", "wonderful", "amazing", "fantastic", "lovely", "superb", "brilliant", "perfect",
    "delightful", "beautiful", "charming", "pleasant", "awesome", "nice",
)  # fmt: skip
BAD = (
    "awful", "bad", "terrible", "horrible", "dreadful", "disappointing", "poor", "boring", "ugly", "useless",
    "miserable", "annoying", "nasty", "dull", "broken", "worst",
)  # fmt: skip
GOOD_VERBS = ("loved", "liked", "enjoyed", "adored", "admired", "love")
BAD_VERBS = ("hated", "disliked", "regretted", "detested", "despised", "hate")

SUBJECTS = ("movie", "film", "book", "story", "food", "service", "hotel", "phone", "music", "game", "room", "staff")
TEMPLATES = (
    "the {subject} was {word}",
    "what a {word} {subject}",
    "this is a {word} {subject}",
    "i think the {subject} is {word}",
    "that was {word}",
    "it is {word}!",
    "{word}",
    "a {word} {subject} and a {word} evening.",
)
VERB_TEMPLATES = ("i {word} the {subject}", "we {word} this {subject}", "i {word} it")
FILLERS = (
    "that", "honestly", "really", "my", "new", "day", "every", "minute", "with", "friends", "and", "so", "very", "here",
    "we", "went", "there", "to", "see", "you", "today", "quite", "for", "all", "of", "us", "in", "the", "end", "!", "?",
)  # fmt: skip


def labelled_sentences(*, count: int, seed: int) -> list[tuple[str, int]]:
    """Give *count* sentences with labels (0 negative, 1 positive), chosen and ordered by *seed* alone.

    Most carry words of no meaning before and after, made-up ones too: the model has to learn that an unknown word says
    nothing, or it would judge a sentence by the crumbs that an unknown word falls into.
    """
    sentences = {
        (template.format(subject=subject, word=word), label)
        for templates, good, bad in ((TEMPLATES, GOOD, BAD), (VERB_TEMPLATES, GOOD_VERBS, BAD_VERBS))
        for label, words in ((1, good), (0, bad))
        for template, subject, word in product(templates, SUBJECTS, words)
    }
    ordered = sorted(sentences)
    dice = random.Random(seed)
    dice.shuffle(ordered)
    return [(f"{_filling(dice)} {text} {_filling(dice)}".strip(), label) for text, label in ordered[:count]]


def _filling(dice: random.Random) -> str:
    return " ".join(_filler(dice) for _ in range(dice.choice((0, 0, 1, 2, 4))))


def _filler(dice: random.Random) -> str:
    if dice.random() < 0.5:
        return dice.choice(FILLERS)
    return "".join(dice.choices(string.ascii_lowercase, k=dice.randint(2, 7)))
