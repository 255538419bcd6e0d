import numpy as np

from modelmint.core.tags import in_letters, tagged, unread, words_in

TAGS = ("O", "B-PER", "I-PER")


def test_entities_of_a_text_are_counted_in_its_letters() -> None:
    text = "Today  Anna Lee-Smith left."
    words = [word for word, _ in words_in(text)]
    scores = np.log(np.full((len(words), 3), 0.1, np.float32))
    for at, tag in enumerate([0, 1, 2, 0, 0]):
        scores[at, tag] = np.log(0.8)
    (found,) = in_letters(text, tagged(words, scores, TAGS, are_entities=True)["entities"])
    assert (found["text"], text[found["start"] : found["end"]]) == ("Anna Lee-Smith", "Anna Lee-Smith")


def test_words_that_no_token_stands_for_are_outside() -> None:
    assert tagged(["", " "], unread(2, 3), TAGS, are_entities=True) == {"tags": ["O", "O"], "entities": []}


def test_signs_numbers_and_ideographs_are_words_by_themselves() -> None:
    words = [word for word, _ in words_in("U.S. paid 1,000.50 to 北京 (Anna's).")]
    assert words == ["U.S.", "paid", "1,000.50", "to", "北", "京", "(", "Anna", "'s", ")", "."]
