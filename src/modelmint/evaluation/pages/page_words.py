"""How sentences of an evaluation's page are written."""


def p_of(value: float) -> str:
    """A p-value for people: never 0."""
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def low(title: str) -> str:
    """A title within a sentence."""
    return title if title[1:2].isupper() or title.startswith(("Macro-F1", "Micro-F1")) else title[0].lower() + title[1:]


def sentence(text: str) -> str:
    """With a capital, where it does not begin with the name of a figure or a gate."""
    first = text.partition(" ")[0]
    return text if first.endswith(":") or "[" in first else text[:1].upper() + text[1:]
