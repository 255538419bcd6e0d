"""The parameters of a training. Those that are null are the task's own: `knobs.resolve` fills them in."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from modelmint.core.spec import Spec
from modelmint.training.methods import Full, Method
from modelmint.training.scratch.spec import Architecture, TokenizerSpec

Precision = Literal["auto", "bf16", "fp16", "fp32"]
ClassWeights = Literal["none", "balanced"]
Optimizer = Literal["adamw", "adam", "sgd", "adagrad", "adafactor", "muon"]
Sharding = Literal["none", "full"]
Schedule = Literal["linear", "cosine", "constant", "inverse-sqrt", "polynomial"]


def _by_name(given: Any) -> Any:
    """``lora`` is short for ``{name: lora}``."""
    return {"name": given} if isinstance(given, str) else given


class TrainSpec(Spec):
    """How a base becomes a model of your rows, or how a model is made from nothing."""

    task: str | None = Field(default=None, min_length=1)
    """What to train for; null is what the rows are for. Rows of one form can serve several tasks: plain texts a causal
    or a masked language model, labelled texts a classifier or an embedding."""
    base: str = Field(default="starter", min_length=1, json_schema_extra={"path": "with a slash"})
    """What to start from: a name of the catalogue (`starter` needs no network), `org/name` or `hf://org/name` on the
    Hugging Face hub, `ms://org/name` on ModelScope, a local folder, or `none` to start from nothing, which is what it is
    where `architecture` or `tokenizer` is given and it is not. Not used where a model to start from is given.
    """
    architecture: Annotated[Architecture | None, BeforeValidator(_by_name)] = None
    """From nothing: what to make, by name or with its sizes, like `{name: lstm, width: 256}`."""
    tokenizer: Annotated[TokenizerSpec | None, BeforeValidator(_by_name)] = None
    """From nothing, for texts: the tokenizer that is learned from the training rows, like
    `{name: bpe, vocabulary_size: 8000}` or `characters`."""
    method: Annotated[Method, BeforeValidator(_by_name)] = Field(default_factory=Full)
    """What of the base is trained: `full` is all of it; `lora` and the others train little and leave the base as it is."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What only this task knows, by name: see the task in docs/training.md."""
    epochs: int | None = Field(default=None, ge=1, le=10_000)
    """How often every row is seen. Where a model to start from is given, null is half of the task's."""
    min_steps: int | None = Field(default=None, ge=0, le=1_000_000)
    """Few rows make few steps: epochs are added until there are about so many. Not where a model to start from is
    given, which has had them.
    """
    max_steps: int | None = Field(default=None, ge=1, le=100_000_000)
    """Stop after so many steps, wherever that is in an epoch; null is no limit."""
    batch_size: int | None = Field(default=None, ge=1, le=65_536)
    """Rows in one step of the optimizer."""
    micro_batch_size: int | None = Field(default=None, ge=1, le=65_536)
    """Rows that are computed at once; a step adds up as many as `batch_size` needs (gradient accumulation). Less memory:
    a smaller one, with the same result. Null computes the whole batch, and halves it where memory does not hold it."""
    optimizer: Optimizer | None = None
    """What moves the weights. `muon` is for the matrices inside; the rest then moves with AdamW."""
    learning_rate: float | None = Field(default=None, gt=0, le=10)
    """The peak learning rate of the base's weights. Where a model to start from is given, null is half of the task's."""
    head_learning_rate: float | None = Field(default=None, gt=0, le=10)
    """The peak learning rate of the new layer on top, which starts from nothing."""
    momentum: float | None = Field(default=None, ge=0, lt=1)
    """Of `sgd` and `muon`; 0 is plain gradient descent."""
    weight_decay: float | None = Field(default=None, ge=0, lt=1)
    """Decay of the weight matrices; biases, norms and embeddings do not decay."""
    schedule: Schedule | None = None
    """How the learning rate falls after its warm-up: `linear` and `cosine` to zero, `constant` not at all."""
    warmup: float | None = Field(default=None, ge=0, lt=1)
    """The share of steps over which the learning rate rises."""
    label_smoothing: float | None = Field(default=None, ge=0, lt=1)
    """How much of each row's target is spread over all labels; helps where some labels are wrong or overlap."""
    encoder_dropout: float | None = Field(default=None, ge=0, lt=1)
    """Dropout inside the base, or inside the whole of what is made from nothing."""
    head_dropout: float | None = Field(default=None, ge=0, lt=1)
    """Dropout before the new layer."""
    max_grad_norm: float | None = Field(default=None, gt=0)
    """Gradients longer than this are shortened to it."""
    max_tokens: int | None = Field(default=None, ge=4, le=131_072)
    """Tokens of a text that are read, here and when it is served; the rest is cut off. Preflight counts what is cut."""
    freeze_embeddings: bool | None = None
    """Leave the base's embeddings as they are: faster on a CPU, sometimes a little less accurate."""
    class_weights: ClassWeights | None = None
    """`balanced` weighs each label by the inverse of how often it occurs: for rare labels that must be found. It
    multiplies the rows' own weights (`_weight`), which `augment: {balance: weights}` writes; use one of the two.
    """
    ema: float | None = Field(default=None, ge=0, lt=1)
    """Keep a moving average of the weights with this decay, and validate and keep that one; 0 keeps none."""
    patience: int | None = Field(default=None, ge=0)
    """Stop after so many epochs whose validation score is worse than the best, by more than one standard error where
    the score has one; 0 never stops early. The weights of the last epoch that is not are kept in either case, where
    there are validation rows.
    """
    precision: Precision | None = None
    """`bf16` mixes in 16-bit arithmetic, `fp32` does not, `fp16` is for GPUs without bf16; `auto` takes bf16 where the
    hardware multiplies it.
    """
    gradient_checkpointing: bool | None = None
    """Compute the states of the layers twice in place of keeping them: less memory, a third more time."""
    workers: int = Field(default=1, ge=1, le=1024)
    """Processes that train together, each on its part of every batch: of this machine, one a GPU where there are some,
    or with `engine: ray` of a cluster. They give what one gives, but for rounding and where dropout falls."""
    sharding: Sharding = "none"
    """`full` parts weights, gradients and the optimizer's moments over the workers (FSDP), for a model whose training one
    GPU does not hold; `none` keeps all of them in each worker, which is faster."""

    @model_validator(mode="before")
    @classmethod
    def _made_from_nothing(cls, given: Any) -> Any:
        if isinstance(given, dict) and "base" not in given and (given.get("architecture") or given.get("tokenizer")):
            return {**given, "base": "none"}
        return given

    @model_validator(mode="after")
    def _parts_need_workers(self) -> Self:
        if self.sharding == "full" and self.workers == 1:
            raise ValueError(
                "sharding: must be none with one worker; got full. Set train.workers, or take sharding out"
            )
        return self
