"""The chat template of a base: a chat as the one text that it reads, and which of it is taught.

A base's template is a program in Jinja by a stranger: it runs in Jinja's sandbox, and what it writes is bounded.
"""

import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from modelmint.core.clock import now
from modelmint.core.errors import DataError
from modelmint.core.types import JSON

CHATML = (
    "{% if tools %}{{ '<|im_start|>system\n' }}"
    "{% if messages and messages[0]['role'] == 'system' %}{{ (messages[0]['content'] or '') + '\n\n' }}{% endif %}"
    "{{ '# Tools\n\nFunctions that may be called:\n<tools>\n' }}"
    "{% for tool in tools %}{{ (tool | tojson) + '\n' }}{% endfor %}"
    "{{ '</tools>\nA call is a JSON object with name and arguments, inside <tool_call></tool_call>.<|im_end|>\n' }}"
    "{% endif %}"
    "{% for message in messages %}"
    "{% if not (tools and loop.first and message['role'] == 'system') %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + (message['content'] or '') }}"
    "{% for call in message['tool_calls'] or [] %}{% set function = call['function'] or call %}"
    "{{ '\n' if message['content'] or not loop.first else '' }}"
    "{{ '<tool_call>\n{\"name\": ' + (function['name'] | tojson) + ', \"arguments\": ' }}"
    "{{ function['arguments'] if function['arguments'] is string else (function['arguments'] | tojson) }}"
    "{{ '}\n</tool_call>' }}{% endfor %}"
    "{{ '<|im_end|>\n' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""What is used where a base has none: OpenAI's ChatML, as many open bases were taught; tools as Hermes has them."""
CHATML_MARKS = ("<|im_start|>", "<|im_end|>")
"""Each is one token: a tokenizer that does not know them is given them."""
MAX_TEMPLATE_CHARS = 200_000
MAX_CHARS = 20_000_000
"""Of one chat, written out."""
MAX_TURNS = 40
"""In a longer chat what is taught is found by looking for it, not by writing out every beginning of the chat."""

LEADING = ("system", "developer")
"""Who speaks before the first exchange, and is never left out."""

Message = Mapping[str, Any]
Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class ChatTemplate:
    """A template and the special tokens it may name. `own`: it is that of the base."""

    source: str
    own: bool
    tokens: Mapping[str, str]

    def render(self, messages: Sequence[Message], tools: str | None = None, *, prompt: bool = False) -> str:
        """The text of a chat.

        Args:
            messages: in the canonical form (`core.forms.MESSAGE`).
            tools: a list as JSON text.
            prompt: end with the words after which the assistant speaks.

        Raises:
            DataError: the template refuses this chat (roles that it does not know, for example), or is broken.
        """
        from jinja2 import TemplateError

        try:
            pieces = _compiled(self.source).generate(
                messages=[_plain(message) for message in messages],
                tools=json.loads(tools) if tools else None,
                add_generation_prompt=prompt,
                **self.tokens,
            )
            return _joined(pieces)
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
            why = str(error).strip().partition("\n")[0][:200] or type(error).__name__
            raise DataError(
                f"messages: the base's chat template must take every chat; it says {why!r}",
                parameter="messages",
                remedy="Mend the roles or their order, or choose another base.",
            ) from error

    def taught(self, messages: Sequence[Message], tools: str | None = None) -> tuple[str, list[Span]]:
        """The text of a chat, and where in it stands what the assistant says, its end mark included.

        Raises:
            DataError: as `render`.
        """
        text = self.render(messages, tools)
        answers = [at for at, message in enumerate(messages) if message.get("role") == "assistant"]
        if len(answers) <= MAX_TURNS:
            try:
                return text, [self._span(text, messages, at, tools) for at in answers]
            except DataError:  # a template that takes whole chats alone
                pass
        return text, _found(text, messages)

    def answer(self, prompt: Sequence[Message], said: Sequence[Message]) -> tuple[str, list[Span]]:
        """The text of a chat that goes on with `said`, and where that stands.

        Raises:
            DataError: as `render`.
        """
        text = self.render([*prompt, *said])
        try:
            begin = _common(text, self.render(prompt, prompt=True)) if prompt else 0
        except DataError:  # a template that takes whole chats alone
            begin = max(0, text.rfind(str(said[0].get("content") or "").strip()) if said else 0)
        return text, [(begin, len(text))] if said else []

    def _span(self, text: str, messages: Sequence[Message], at: int, tools: str | None) -> Span:
        begin = _common(text, self.render(messages[:at], tools, prompt=True))
        return begin, max(begin, _common(text, self.render(messages[: at + 1], tools)))


def chat_template(folder: Path) -> ChatTemplate:
    """The template in a base's folder, or `CHATML`.

    Raises:
        DataError: the template is too long, or no Jinja.
    """
    from jinja2 import TemplateError

    config = _config(folder)
    source = _source(folder, config)
    if source is not None and len(source) > MAX_TEMPLATE_CHARS:
        raise _wrong(f"it has {len(source):,} characters; at most {MAX_TEMPLATE_CHARS:,} are read")
    try:
        _compiled(source or CHATML)
    except TemplateError as error:
        raise _wrong(str(error)[:200]) from error
    tokens = {name: _token(config.get(name)) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    return ChatTemplate(source=source or CHATML, own=source is not None, tokens=tokens)


def prompt_ids(
    template: ChatTemplate, tokenizer: Any, messages: Sequence[Message], tools: str | None, *, limit: int
) -> list[int]:
    """Token ids of a chat up to where the assistant speaks, the oldest turns left out where they are more than `limit`.

    Raises:
        DataError: the template refuses the chat.
    """

    def encoded(kept: Sequence[Message]) -> list[int]:
        ids: list[int] = tokenizer.encode(template.render(kept, tools, prompt=True), add_special_tokens=False).ids
        return ids

    return encoded(fitting(messages, limit, encoded))[-limit:]


def fitting(
    messages: Sequence[Message], limit: int, encoded: Callable[[Sequence[Message]], Sequence[int]]
) -> Sequence[Message]:
    """The messages without the oldest exchanges, so that they fit; with the last exchange alone where none does."""
    num_leading = next((at for at, one in enumerate(messages) if one.get("role") not in LEADING), len(messages))
    starts = [at for at in range(num_leading, len(messages)) if messages[at].get("role") == "user"]
    cuts = [num_leading, *(at for at in starts if at > num_leading)]
    beginnings = [[*messages[:num_leading], *messages[at:]] for at in cuts]
    place = bisect_left(beginnings, True, key=lambda kept: len(encoded(kept)) <= limit)
    return beginnings[min(place, len(beginnings) - 1)]


def room_for(max_new_tokens: int, *, max_tokens: int, positions: int | None) -> tuple[int, int]:
    """How many tokens a prompt may have, and how many may follow it, within a model's positions.

    Where they do not reach for both, the prompt has at least half of them.
    """
    if positions is None:
        return max_tokens, max_new_tokens
    room = min(max_tokens, max(positions - max_new_tokens, positions // 2))
    return room, min(max_new_tokens, positions - room)


def _source(folder: Path, config: JSON) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8", errors="replace")
    given = config.get("chat_template")
    if isinstance(given, list):  # several by name
        named = {str(one.get("name")): one.get("template") for one in given if isinstance(one, dict)}
        given = named.get("default") or next(iter(named.values()), None)
    return given if isinstance(given, str) and given else None


def _config(folder: Path) -> JSON:
    path = folder / "tokenizer_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        return {}
    return config if isinstance(config, dict) else {}


def _token(value: Any) -> str:
    return str(value.get("content", "")) if isinstance(value, dict) else str(value or "")


@lru_cache(maxsize=8)
def _compiled(source: str) -> Any:
    """As transformers compiles it, so that a template means the same here."""
    import re

    from jinja2 import ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    jinja = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[ext.loopcontrols])
    jinja.filters["tojson"] = lambda value, **how: json.dumps(value, ensure_ascii=False, indent=how.get("indent"))
    jinja.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: now().strftime(form)}
    # `generation` marks what the assistant says, for trainers; here it means nothing.
    opened = re.sub(r"\{%(-?)\s*generation\s*(-?)%\}", r"{%\1 if true \2%}", source)
    return jinja.from_string(re.sub(r"\{%(-?)\s*endgeneration\s*(-?)%\}", r"{%\1 endif \2%}", opened))


def _refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _plain(message: Message) -> JSON:
    """A message as templates expect it: no key without a value, tool calls as a list."""
    plain = {str(key): value for key, value in message.items() if value is not None or key == "content"}
    if isinstance(plain.get("tool_calls"), str):
        plain["tool_calls"] = json.loads(plain["tool_calls"])
    plain.setdefault("content", "")
    return plain


def _joined(pieces: Any) -> str:
    parts, num_chars = [], 0
    for piece in pieces:
        num_chars += len(piece)
        if num_chars > MAX_CHARS:
            raise ValueError(f"the chat is longer than {MAX_CHARS:,} characters")
        parts.append(piece)
    return "".join(parts)


def _found(text: str, messages: Sequence[Message]) -> list[Span]:
    spans, at = [], 0
    for message in messages:
        content = str(message.get("content") or "").strip()
        start = text.find(content, at)
        if not content or start < 0:
            continue
        at = start + len(content)
        if message.get("role") == "assistant":
            spans.append((start, at))
    return spans


def _common(text: str, other: str) -> int:
    """How many characters two texts share from their beginning."""
    if text.startswith(other):
        return len(other)
    low, high = 0, min(len(text), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text[:middle] == other[:middle] else (low, middle - 1)
    return low


def _wrong(why: str) -> DataError:
    return DataError(
        f"base: its chat template must be Jinja that can be run; {why}",
        parameter="base",
        remedy="Choose another base, or mend its tokenizer_config.json.",
    )
