"""What can be made from nothing, by name, with its sizes."""

from typing import Annotated, Literal

from pydantic import Field

from modelmint.core.spec import Spec


class Transformer(Spec):
    """An encoder or a decoder of self-attention, as the task needs."""

    name: Literal["transformer"] = "transformer"
    num_layers: int = Field(default=4, ge=1, le=96)
    """Layers; of the encoder and of the decoder each, where there are both."""
    width: int = Field(default=256, ge=8, le=16_384)
    """Numbers a token."""
    num_heads: int = Field(default=4, ge=1, le=128)
    """Heads of attention; they share the width."""


class Lstm(Spec):
    """A long short-term memory: both ways for texts that are read, forwards for texts that are written."""

    name: Literal["lstm"] = "lstm"
    num_layers: int = Field(default=1, ge=1, le=16)
    """Layers, one upon another."""
    width: int = Field(default=256, ge=8, le=16_384)
    """Numbers a token."""


class TextCnn(Spec):
    """Convolutions of several widths over the words (Kim 2014)."""

    name: Literal["text-cnn"] = "text-cnn"
    width: int = Field(default=256, ge=8, le=16_384)
    """Numbers a token, and filters in all."""
    windows: tuple[int, ...] = Field(default=(3, 4, 5), min_length=1)
    """How many neighbouring tokens each kind of filter sees."""


class ImageCnn(Spec):
    """A small residual network of convolutions, for images and for the spectrograms of sounds."""

    name: Literal["cnn"] = "cnn"
    width: int = Field(default=32, ge=4, le=1024)
    """Channels of the first stage; each later stage has twice as many."""
    num_stages: int = Field(default=3, ge=1, le=6)
    """Stages, each at half the resolution of the one before."""


Architecture = Annotated[Transformer | Lstm | TextCnn | ImageCnn, Field(discriminator="name")]


class TokenizerSpec(Spec):
    """The tokenizer that is learned from the training rows."""

    name: Literal["bpe", "unigram", "wordpiece", "words", "characters"] = "bpe"
    """How texts are cut: into pieces that occur often, into whole words, or into single characters."""
    vocabulary_size: int = Field(default=8_000, ge=8, le=1_000_000)
    """At most so many tokens."""
    lowercase: bool = False
    """Read capitals as small letters."""
