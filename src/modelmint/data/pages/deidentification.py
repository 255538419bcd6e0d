"""The page of `deidentify`: what was found, what became of it, and what nobody looked for."""

from typing import Any

from modelmint.core.pages import Headline, Section, Share, examples, page, table

ABOUT = {
    "email": "e-mail addresses", "phone": "telephone numbers", "id": "identity, social security, tax and licence numbers",
    "card": "payment cards", "iban": "IBANs", "account": "bank accounts", "passport": "passports and travel permits",
    "plate": "number plates", "address": "postal addresses and postcodes", "ip": "IP addresses",
    "date_of_birth": "birth dates", "handle": "names in messengers", "person": "names of people", "place": "places",
    "organisation": "organisations", "uscc": "codes of Chinese firms", "url": "web addresses", "date": "other dates",
    "age": "ages", "year": "years",
}  # fmt: skip
"""Each kind in words."""
_ACTIONS = {
    "mask": "masked by the name of its kind",
    "pseudonym": "replaced by a stand-in, the same for the same value",
    "hash": "replaced by a keyed hash",
    "drop": "the row was taken out",
}
_WHY = {
    "person": "no model was given (`ner`); patterns cannot find names",
    "place": "no model was given (`ner`)",
    "organisation": "no model was given (`ner`)",
}
_NOT_ASKED = {
    "uscc": "says who a firm is, not a person", "url": "seldom says who someone is", "date": "birth dates are looked for",
    "age": "seldom says who someone is alone", "year": "seldom says who someone is alone",
}  # fmt: skip


def page_of(facts: dict[str, Any], *, name: str) -> str:
    """The text of ``report.html`` from the report's facts."""
    num_found, share = sum(facts["masked"].values()), facts["rows"] / max(facts["rows_read"], 1)
    dropped = facts["rows_dropped"]
    kinds = sum(1 for number in facts["masked"].values() if number)
    return page(
        title="De-identification",
        about=name,
        lead=f"{num_found:,} pieces of personal data were found in {facts['rows']:,} of {facts['rows_read']:,} rows."
        + ("" if num_found else " That is what was looked for and recognised; see below for what was not."),
        headlines=[
            Headline(name="found", value=f"{num_found:,}", note=f"{kinds} of {len(facts['masked'])} kinds looked for"),
            Headline(
                name="rows with a find", value=f"{facts['rows']:,}", note=f"{share:.1%} of {facts['rows_read']:,}"
            ),
            Headline(
                name="rows taken out", value=f"{dropped:,}", note="kept, masked, in quarantine" if dropped else "none"
            ),
        ],
        sections=[_found(facts), *_examples(facts), _missed(facts), _columns(facts)],
        warnings=[one["message"] for one in facts["warnings"]],
        refused=facts["refused"],
    )


def _found(facts: dict[str, Any]) -> Section:
    found = sorted(((kind, number) for kind, number in facts["masked"].items() if number), key=lambda one: -one[1])
    most = max((number for _, number in found), default=1)
    headers = ["kind", "", "found", "rows", "what became of it"]
    rows = [
        [_name(kind), Share(value=number / most), number, facts["rows_by_kind"][kind], _ACTIONS[facts["actions"][kind]]]
        for kind, number in found
    ]
    parts = [table(headers, rows)] if rows else []
    none = [
        ABOUT.get(kind, kind) for kind, number in facts["masked"].items() if not number and kind not in facts["missed"]
    ]
    note = f"Looked for and not found: {', '.join(sorted(none))}." if none else ""
    return Section(heading="What was found", note=note, parts=parts)


def _examples(facts: dict[str, Any]) -> list[Section]:
    if not facts["examples"]:
        return []
    rows = [[_name(one["kind"]), one["text"]] for one in facts["examples"]]
    note = "With every find masked: no value stands here. What was not recognised would."
    return [Section(heading="Where it stood", note=note, parts=[examples(["kind", "text"], rows)])]


def _missed(facts: dict[str, Any]) -> Section:
    rows = [[_name(kind), _WHY.get(kind, "no engine that was chosen finds it")] for kind in facts["missed"]]
    rows += [
        [_name(kind), f"not asked for: {_NOT_ASKED.get(kind, 'left out of `kinds`')}"] for kind in facts["not_asked"]
    ]
    rows.append(["what is spelt out in words", "“one three eight, then …”: no pattern reads it"])
    rows.append(["who a description fits", "“the only dentist of the village”: nothing here understands it"])
    return Section(
        heading="What was not looked for",
        note="No list of rules finds everything. Read a sample before the data leaves the house.",
        parts=[table(["kind", "why"], rows)],
    )


def _columns(facts: dict[str, Any]) -> Section:
    rows = [[name, "looked at"] for name in facts["columns"]]
    rows += [[name, f"left: {why}"] for name, why in facts["columns_left"].items()]
    return Section(
        heading="Columns",
        note=f"Engines: {', '.join(facts['engines'])}. Telephone numbers without a country code: {', '.join(facts['regions'])}.",
        parts=[table(["column", ""], rows)],
    )


def _name(kind: str) -> str:
    return f"{kind}: {ABOUT[kind]}" if kind in ABOUT else f"{kind} (your pattern)"
