"""What preflight says of its facts in plain English: a sentence for each thing that should be looked at."""

from collections.abc import Sequence
from typing import Any

from modelmint.core.formats import percent
from modelmint.core.types import JSON
from modelmint.data.facts import warning

NUM_NAMES = 20
MAX_IMBALANCE = 20
MAX_TRUNCATED = 0.01
MAX_UNKNOWN = 0.02
MAX_FOREIGN = 0.02


def warnings(facts: JSON, *, min_rows_per_label: int) -> list[dict[str, str]]:
    """What should be looked at, in plain English; nothing of it refuses by itself."""
    said = [
        *_about_labels(facts, min_rows_per_label),
        *_about_copies(facts),
        *_about_tokens(facts),
        *_about_rows(facts),
    ]
    return [warning(name, message) for name, holds, message in said if holds]


Said = tuple[str, Any, str]
"""The name of a warning, whether it holds, and its sentence."""


def _about_labels(facts: JSON, min_rows: int) -> list[Said]:
    labels, conflicts = facts["labels"], facts["conflicts"].get("rows", 0)
    if "num" not in labels:
        return []
    alike = [" / ".join(names) for names in labels["alike"]]
    return [
        ("label_once", labels["once"], f"seen once, cannot be tested: {_some(labels['once'])}"),
        ("label_rare", labels["rare"], f"fewer than {min_rows} rows: {_some(labels['rare'])}"),
        ("labels_alike", alike, f"differ only in case or spaces: {_some(alike)}"),
        (
            "imbalance",
            labels["imbalance"] >= MAX_IMBALANCE,
            f"the largest label has {labels['imbalance']:g} times the rows of the smallest",
        ),
        ("label_conflicts", conflicts, f"{conflicts:,} rows share a text and differ in label"),
    ]


def _about_copies(facts: JSON) -> list[Said]:
    copies, leaks, near = facts["duplicates"], facts["leaks"], facts["near"]
    looked_at = near.get("looked_at", 0)
    return [
        ("duplicates", copies, f"{copies:,} training rows repeat the text and label of another"),
        ("leaks", leaks, f"{leaks:,} declared evaluation rows are also in training"),
        (
            "near_duplicates",
            near.get("duplicates"),
            f"{near.get('duplicates', 0):,} of {looked_at:,} rows looked at are nearly the same as another",
        ),
        (
            "near_leaks",
            near.get("leaks"),
            (
                f"{near.get('leaks', 0):,} of {near.get('evaluation', 0):,} evaluation rows looked at are nearly the same "
                "as a training row"
            ),
        ),
    ]


def _about_tokens(facts: JSON) -> list[Said]:
    tokens, cut, targets, template = facts["tokens"], facts["truncated"], facts["targets"], facts["chat_template"]
    unknown, mute = tokens.get("unknown_share", 0), tokens.get("rows_without_token", 0)
    lost, untrainable = targets.get("share", 0), targets.get("rows_untrainable", 0)
    return [
        (
            "truncated",
            cut.get("share", 0) > MAX_TRUNCATED,
            f"{percent(cut.get('share', 0))} of the rows are cut off at {cut.get('limit')} tokens",
        ),
        (
            "targets_lost",
            lost > 0,
            (
                f"{targets.get('lost', 0):,} of {targets.get('total', 0):,} {targets.get('unit')} ({percent(lost, 2)}) are "
                f"beyond {cut.get('limit')} tokens, and are not learned"
            ),
        ),
        ("untrainable", untrainable and untrainable > mute, f"{untrainable:,} rows hold nothing that can be learned"),
        (
            "unknown_tokens",
            unknown > MAX_UNKNOWN,
            f"{unknown:.1%} of the tokens are unknown to the base: is it for this language?",
        ),
        ("no_token", mute, f"{mute:,} rows hold no token that the base knows"),
        (
            "template_refused",
            template.get("refused"),
            f"{template.get('refused', 0):,} chats are refused by the base's chat template: {template.get('says')}",
        ),
        (
            "no_template",
            template and not template["own"],
            "the base has no chat template: it was not taught to chat, and ChatML stands in",
        ),
    ]


def _about_rows(facts: JSON) -> list[Said]:
    personal, languages, licence = facts["personal"], facts["languages"], facts["licences"]
    suspects = facts["suspects"].get("rows", 0)
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in personal.get("found", {}).items())
    foreign = languages.get("share", 0)
    return [
        (
            "personal_data",
            personal.get("rows"),
            f"{personal.get('rows', 0):,} of {personal.get('looked_at', 0):,} rows looked at hold personal data: {kinds}",
        ),
        (
            "language_unknown",
            foreign > MAX_FOREIGN,
            (
                f"{percent(foreign)} of the rows are in a language that the base does not know: "
                f"{_some(languages.get('foreign', []))}"
            ),
        ),
        ("licence", licence["may_be_sold"] == "no", f"a model from this may not be sold: {licence['why']}"),
        ("suspects", suspects, f"{suspects:,} rows look mislabelled: look at them with modelmint show ID"),
    ]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NUM_NAMES])
    return shown + (f" and {len(names) - NUM_NAMES} more" if len(names) > NUM_NAMES else "")
