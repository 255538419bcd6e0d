"""The parameters of a fine-tuning."""

from typing import Literal

from pydantic import Field

from modelmint.core.spec import Spec

Precision = Literal["auto", "bf16", "fp32"]
ClassWeights = Literal["none", "balanced"]


class FinetuneSpec(Spec):
    """How a base becomes a classifier of your labels."""

    base: str = Field(default="starter", min_length=1, json_schema_extra={"path": "with a slash"})
    """What to start from: a name of the catalogue (`starter` needs no network), `org/name` or `hf://org/name` on the
    Hugging Face hub, `ms://org/name` on ModelScope, or a local folder. Not used where a model to start from is given.
    """
    epochs: int = Field(default=4, ge=1, le=1000)
    """How often every row is seen."""
    min_steps: int = Field(default=300, ge=0, le=1_000_000)
    """Few rows make few steps: epochs are added until there are about so many. Not where a model to start from is
    given, which has had them.
    """
    batch_size: int = Field(default=32, ge=1, le=4096)
    """Rows in one step. Less memory: a smaller one."""
    learning_rate: float = Field(default=2e-4, gt=0, le=1)
    """The peak learning rate of the base's weights."""
    head_learning_rate: float = Field(default=1e-3, gt=0, le=1)
    """The peak learning rate of the new layer on top, which starts from nothing."""
    weight_decay: float = Field(default=0.01, ge=0, lt=1)
    """AdamW's decay of the weight matrices; biases, norms and embeddings do not decay."""
    warmup: float = Field(default=0.06, ge=0, lt=1)
    """The share of steps over which the learning rate rises; after it, it falls in a straight line to zero."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """How much of each row's target is spread over all labels; helps where some labels are wrong or overlap."""
    encoder_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout inside the base."""
    head_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout before the new layer."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients longer than this are shortened to it."""
    max_tokens: int = Field(default=128, ge=4, le=8192)
    """Tokens of a text that are read, here and when it is served; the rest is cut off. Preflight counts what is cut."""
    freeze_embeddings: bool = False
    """Leave the base's embeddings as they are: faster on a CPU, sometimes a little less accurate."""
    class_weights: ClassWeights = "none"
    """`balanced` weighs each label by the inverse of how often it occurs: for rare labels that must be found. It
    multiplies the rows' own weights (`_weight`), which `augment: {balance: weights}` writes; use one of the two.
    """
    patience: int | None = Field(default=2, ge=1)
    """Stop after so many epochs whose validation accuracy is more than one standard error below the best; null never
    stops early. The weights of the last epoch that is not are kept in either case, where there are validation rows.
    """
    precision: Precision = "auto"
    """`bf16` mixes in 16-bit arithmetic, `fp32` does not; `auto` takes bf16 where the hardware multiplies it."""
