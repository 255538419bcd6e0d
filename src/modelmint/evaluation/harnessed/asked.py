"""A trained model as lm-evaluation-harness asks one: three questions, each by the tokens of our own model."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.model import LM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from modelmint.core.errors import InputError
from modelmint.core.sampling import Sampling
from modelmint.core.stage import StageContext
from modelmint.training.tasks.by_tokens import ByTokens

DEFAULT_NEW_TOKENS = 256
BATCH_ROWS = 16

Pair = tuple[list[int], list[int]]


class AskedModel(LM):  # type: ignore[misc]  # lm_eval is not typed here
    """`templated`: contexts are chats that the template has written out, and nothing is put before them.

    `num_cut` counts the questions whose beginning was not read, `num_asked` all of them.
    """

    def __init__(self, model: ByTokens, ctx: StageContext, *, templated: bool) -> None:
        super().__init__()
        self._model, self._ctx, self._templated = model, ctx, templated
        self.num_cut = self.num_asked = 0

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """(N,) how likely each continuation is after its context, and whether greedy decoding would write it."""
        pairs = [self._pair(*request.args[:2]) for request in requests]
        self._count(len(context) + len(told) - 1 for context, told in pairs)
        return [(one.log_probability, one.greedy) for one in self._model.likely(pairs, self._say("reading choices"))]

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """(N,) how likely each text is, every token of it told once; a long one is read in windows, as lm-eval has them."""
        windows: list[Pair] = []
        owners: list[int] = []
        for at, request in enumerate(requests):
            found = self._windows(self._model.encode(request.args[0]))
            windows += found
            owners += [at] * len(found)
        self.num_asked += len(requests)
        sums = [0.0] * len(requests)
        for at, one in zip(owners, self._model.likely(windows, self._say("reading texts")), strict=True):
            sums[at] += one.log_probability
        return sums

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """(N,) what the model writes after each context, up to the task's marks."""
        alike: dict[tuple[Sampling, tuple[str, ...]], list[int]] = {}
        repeated: Counter[str] = Counter()
        prompts = []
        for at, request in enumerate(requests):
            context, given = request.args[:2]
            repeated[context] += 1
            prompts.append(self._prompt(context))
            how = _sampling(given, seed=self._ctx.seed + repeated[context] - 1), _marks(given)
            alike.setdefault(how, []).append(at)
        self._count(map(len, prompts))
        found = [""] * len(requests)
        for (sampling, until), places in alike.items():
            asked = [prompts[at] for at in places]
            say = self._say("writing answers")
            new = self._model.write(asked, sampling, until=until, batch_size=BATCH_ROWS, say=say)
            for at, text in zip(places, new, strict=True):
                found[at] = text
        return found

    def apply_chat_template(self, chat_history: Sequence[Mapping[str, Any]], add_generation_prompt: bool = True) -> str:
        """The text of a chat, up to where the assistant speaks; or up to what it has begun to say."""
        if self._model.template is None:
            raise InputError("chat_template: the model has none", parameter="chat_template")
        if add_generation_prompt:
            return self._model.template.render(chat_history, prompt=True)
        return self._model.template.render(chat_history[:-1], prompt=True) + str(chat_history[-1]["content"])

    @property
    def tokenizer_name(self) -> str:
        """Names a cache that is not used."""
        return ""

    def _pair(self, context: str, told: str) -> Pair:
        """The tokens of a context and of what goes on, cut where the context ends; blanks at its end go on."""
        if not context:
            return list(self._model.start), self._model.encode(told)
        bare = context.rstrip()
        told, context = context[len(bare) :] + told, bare
        alone, whole = self._model.encode(context), self._model.encode(context + told)
        # A token that reaches over the end of the context is told of, as a part of what goes on.
        num = next((at for at, (one, other) in enumerate(zip(alone, whole, strict=False)) if one != other), len(alone))
        return [*self._before, *whole[:num]], whole[num:]

    def _prompt(self, context: str) -> list[int]:
        before = self._before if context else self._model.start
        return [*before, *self._model.encode(context)]

    def _windows(self, ids: list[int]) -> list[Pair]:
        start = list(self._model.start)
        if not start:  # nothing says what a text begins with: its first token is not told
            start, ids = ids[:1], ids[1:]
        windows = get_rolling_token_windows(ids, start[-1] if start else 0, self._model.max_tokens, 1)
        pairs = [make_disjoint_window(one) for one in windows]
        return [([*([] if at else start[:-1]), *context], told) for at, (context, told) in enumerate(pairs)]

    @property
    def _before(self) -> Sequence[int]:
        return () if self._templated else self._model.start

    def _count(self, lengths: Any) -> None:
        for length in lengths:
            self.num_asked += 1
            self.num_cut += length > self._model.max_tokens

    def _say(self, message: str) -> Callable[[int, int, str], None]:
        def say(done: int, total: int, _message: str) -> None:
            self._ctx.check()
            self._ctx.say(done, total, message)

        return say


def _sampling(given: Mapping[str, Any], *, seed: int) -> Sampling:
    """As a task states it. Without do_sample, always the likeliest.

    Raises:
        InputError: a value is no number, or outside of its range.
    """
    names = ("max_gen_toks", "max_new_tokens", "max_tokens")
    wanted = next((given[name] for name in names if given.get(name) is not None), DEFAULT_NEW_TOKENS)
    draws = bool(given.get("do_sample"))
    try:
        found = Sampling(
            max_new_tokens=int(wanted),
            temperature=float(given.get("temperature") or 1.0) if draws and given.get("temperature") != 0 else 0.0,
            top_p=float(given.get("top_p") or 1.0) if draws else 1.0,
            top_k=int(given.get("top_k") or 0) if draws else 0,
            seed=seed if draws else 0,
        )
    except (TypeError, ValueError) as error:
        raise _wrong(given) from error
    if not (
        1 <= found.max_new_tokens <= 100_000 and found.temperature >= 0 and 0 < found.top_p <= 1 and found.top_k >= 0
    ):
        raise _wrong(given)
    return found


def _marks(given: Mapping[str, Any]) -> tuple[str, ...]:
    until = given.get("until") or ()
    return tuple(str(one) for one in ([until] if isinstance(until, str) else until) if one)


def _wrong(given: Mapping[str, Any]) -> InputError:
    return InputError(
        f"tasks: generation_kwargs must have numbers in their ranges; got {dict(given)!r:.200}",
        parameter="tasks",
        remedy="Write them like {max_gen_toks: 64, until: ['\\n']}.",
    )
