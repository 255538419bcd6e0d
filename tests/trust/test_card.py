"""The card: front matter that the hub's own library reads, and Markdown that data cannot break."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from huggingface_hub import ModelCard

from modelmint.core.types import Report
from modelmint.trust.report import ReportSpec

Written = Callable[..., tuple[Report, str, str]]


def front(readme: str) -> dict[str, Any]:
    return dict(ModelCard(readme).data.to_dict())


def test_front_matter_is_read_by_the_hub_library(written: Written) -> None:
    data = front(written(spec=ReportSpec(title="Intents", dataset="PolyAI/banking77"))[1])
    assert data["pipeline_tag"] == "text-classification"
    assert (data["license"], data["language"], data["datasets"]) == ("apache-2.0", ["en"], ["PolyAI/banking77"])


def test_model_index_holds_the_measured_figures(written: Written) -> None:
    card, readme, _ = written(spec=ReportSpec(title="Intents"))
    results = {result.metric_type: result.metric_value for result in ModelCard(readme).data.eval_results or []}
    metrics = card.facts["summary"]["metrics"]
    assert results == {"accuracy": metrics["accuracy"]["value"], "f1": metrics["macro_f1"]["value"]}


def test_front_matter_comes_back_the_same(written: Written) -> None:
    content = ModelCard(written()[1])
    assert ModelCard(str(content)).data.to_dict() == content.data.to_dict()


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        ((), {}),
        (("MIT",), {"license": "mit"}),
        (("CC-BY-4.0", "Apache-2.0"), {"license": "other", "license_name": "apache-2.0-and-cc-by-4.0"}),
        (("Shop terms!",), {"license": "other", "license_name": "shop-terms"}),
    ],
)
def test_licence_of_the_lineage_is_in_the_hubs_words(
    written: Written, licences: tuple[str, ...], expected: dict[str, str]
) -> None:
    data = front(written(licences=licences)[1])
    assert {key: data[key] for key in ("license", "license_name") if key in data} == expected


def test_starter_base_is_named_as_on_the_hub(written: Written) -> None:
    assert front(written()[1])["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"


def test_every_table_row_has_as_many_cells_as_its_head(written: Written) -> None:
    readme = written(labels=["a|b", "c`d`", "*e*", "f\ng", "[h](i)"], num_test=60, without=())[1]
    tables = re.findall(r"(?:^\|.*\|\n)+", readme, flags=re.MULTILINE)
    widths = [{len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()} for table in tables]
    assert all(len(width) == 1 for width in widths)


def test_data_brings_no_markup(written: Written) -> None:
    spec = ReportSpec(title="T", intended_use="see <img src=x> [here](https://evil.example)", contact="# me")
    readme = written(labels=["<script>", "[x](http://y)", "# z"], num_test=60, spec=spec)[1]
    body = ModelCard(readme).text
    assert not re.search(r"<script|<img|(?<!\\)\[\w+\]\(|https://evil", body)


def test_call_names_the_endpoint_of_the_recipe(written: Written) -> None:
    readme = written(
        spec=ReportSpec(deploy={"endpoint": "support", "price": "0.50 USD"}, url="https://api.example.com")
    )[1]
    assert '"model": "support"' in readme
    assert "MODELMINT_URL=https://api.example.com" in readme


def test_card_in_chinese(written: Written) -> None:
    readme = written(spec=ReportSpec(language="zh"))[1]
    assert all(
        re.search(r"[\u4e00-\u9fff]", heading) for heading in re.findall(r"^## (.*)$", readme, flags=re.MULTILINE)
    )
