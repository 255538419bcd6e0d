"""Chats as the text that a base reads, and which of it is taught."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelmint.core.chat_template import MAX_TURNS, chat_template
from modelmint.core.errors import DataError

CHAT = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "Hi?"},
    {"role": "assistant", "content": "Yes"},
]
LLAMA = (
    "{{ bos_token }}{% for m in messages %}{% if m.role not in ['user', 'assistant'] %}"
    "{{ raise_exception('only user and assistant') }}{% endif %}"
    "[{{ m.role }}] {% if m.role == 'assistant' %}{% generation %}{{ m.content | trim }}{{ eos_token }}{% endgeneration %}"
    "{% else %}{{ m.content | trim }}{% endif %}{{ '\n' }}{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"
)


def base(folder: Path, template: Any = LLAMA, **more: Any) -> Path:
    config = {"chat_template": template, "bos_token": "<s>", "eos_token": {"content": "</s>"}, **more}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def test_a_base_without_a_template_gets_chatml(tmp_path: Path) -> None:
    template = chat_template(tmp_path)
    expected = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert (template.own, template.render(CHAT[:1], prompt=True)) == (False, expected)


@pytest.mark.parametrize("given", [LLAMA, [{"name": "tools", "template": "x"}, {"name": "default", "template": LLAMA}]])
def test_the_template_of_the_base_is_used(tmp_path: Path, given: Any) -> None:
    template = chat_template(base(tmp_path, given))
    assert (template.own, template.render(CHAT[:2])) == (True, "<s>[user] Hello\n[assistant] Hi</s>\n")


def test_a_template_in_a_file_of_its_own_wins(tmp_path: Path) -> None:
    (base(tmp_path) / "chat_template.jinja").write_text("{{ messages | length }} messages")
    assert chat_template(tmp_path).render(CHAT) == "4 messages"


@pytest.mark.parametrize("own", [True, False])
def test_what_the_assistant_says_is_taught_with_its_end(tmp_path: Path, own: bool) -> None:
    text, spans = chat_template(base(tmp_path) if own else tmp_path).taught(CHAT)
    said = [text[start:end] for start, end in spans]
    assert said == (["Hi</s>\n", "Yes</s>\n"] if own else ["Hi<|im_end|>\n", "Yes<|im_end|>\n"])


def test_in_a_long_chat_what_is_taught_is_looked_for(tmp_path: Path) -> None:
    text, spans = chat_template(base(tmp_path)).taught(CHAT * MAX_TURNS)
    assert [text[start:end] for start, end in spans] == ["Hi", "Yes"] * MAX_TURNS


def test_a_template_that_takes_whole_chats_alone_still_says_what_is_taught(tmp_path: Path) -> None:
    picky = "{% if messages | length % 2 %}{{ raise_exception('pairs alone') }}{% endif %}" + LLAMA
    text, spans = chat_template(base(tmp_path, picky)).taught(CHAT)
    assert [text[start:end] for start, end in spans] == ["Hi", "Yes"]


def test_a_chat_that_the_template_refuses_is_an_error_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only user and assistant"):
        chat_template(base(tmp_path)).render([{"role": "system", "content": "Be brief."}])


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for a in range(1000000) %}x{% endfor %}",
        "{% for a in range(90000) %}{{ messages[0].content * 400 }}{% endfor %}",
        "{{ 1 / 0 }}",
        "{{ messages[0].content + 3 }}",
    ],
)
def test_a_template_cannot_reach_out_nor_write_without_end(tmp_path: Path, template: str) -> None:
    with pytest.raises(DataError):
        chat_template(base(tmp_path, template)).render(CHAT)


@pytest.mark.parametrize("template", ["{% for %}", "x" * 300_000])
def test_a_template_that_is_no_jinja_is_refused(tmp_path: Path, template: str) -> None:
    with pytest.raises(DataError, match="chat template"):
        chat_template(base(tmp_path, template))


def test_tools_and_their_calls_reach_the_template_as_values(tmp_path: Path) -> None:
    template = chat_template(
        base(tmp_path, "{{ tools[0].name }} {{ messages[0].tool_calls[0].id }} {{ messages[0].name }}")
    )
    message = {"role": "assistant", "content": None, "tool_calls": '[{"id": "call-1"}]', "name": None}
    assert template.render([message], '[{"name": "weather"}]') == "weather call-1 "
