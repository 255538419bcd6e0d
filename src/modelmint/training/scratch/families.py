"""Small models of our own that transformers does not have: an LSTM, a text CNN. Imports PyTorch.

They are made the way of transformers (a config with a `model_type`, weights in safetensors), and `register` tells its
Auto classes of them, so that what reads a Hugging Face folder reads these; no code is loaded from a folder for it.

Shapes: b rows of a batch, t tokens of its longest row, d width, v tokens of the vocabulary.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput

from modelmint.training.scratch.static import StaticConfig, StaticEncoder

INIT_STD = 0.02


class LstmConfig(PretrainedConfig):  # type: ignore[misc]  # transformers is not typed here
    """Of `LstmEncoder`."""

    model_type = "modelmint-lstm"

    def __init__(
        self,
        vocab_size: int = 8_000,
        hidden_size: int = 256,
        num_hidden_layers: int = 1,
        dropout: float = 0.0,
        **others: Any,
    ) -> None:
        self.vocab_size, self.hidden_size, self.num_hidden_layers = vocab_size, hidden_size, num_hidden_layers
        self.dropout = dropout
        super().__init__(**{"pad_token_id": 0, **others})


class LstmWriterConfig(LstmConfig):
    """Of `LstmWriter`."""

    model_type = "modelmint-lstm-writer"

    def __init__(self, **given: Any) -> None:  # transformers writes its own for a config that has none
        super().__init__(**given)


class TextCnnConfig(PretrainedConfig):  # type: ignore[misc]
    """Of `TextCnnEncoder`."""

    model_type = "modelmint-text-cnn"

    def __init__(
        self,
        vocab_size: int = 8_000,
        hidden_size: int = 256,
        windows: tuple[int, ...] = (3, 4, 5),
        dropout: float = 0.0,
        **others: Any,
    ) -> None:
        self.vocab_size, self.hidden_size, self.windows = vocab_size, hidden_size, list(windows)
        self.num_hidden_layers, self.dropout = 1, dropout
        super().__init__(**{"pad_token_id": 0, **others})


class _Small(PreTrainedModel):  # type: ignore[misc]
    """A word embedding, and what a subclass puts upon it."""

    base_model_prefix = "model"
    supports_gradient_checkpointing = False
    _supports_sdpa = True

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.dropout = nn.Dropout(config.dropout)

    def get_input_embeddings(self) -> nn.Module:
        return self.word_embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.word_embeddings = value

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
        elif isinstance(module, nn.LSTM):
            for name, weight in module.named_parameters():
                if "weight" in name:
                    nn.init.orthogonal_(weight)
                else:
                    nn.init.zeros_(weight)
                    if "bias_ih" in name:  # the gate that forgets starts open (Jozefowicz et al. 2015)
                        nn.init.ones_(weight[module.hidden_size : 2 * module.hidden_size])
        elif isinstance(module, nn.Conv1d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)


class LstmEncoder(_Small):
    """Each layer reads both ways, with half of the width each; padding, which is on the right, is not read."""

    config_class = LstmConfig

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config)
        half = config.hidden_size // 2
        self.forwards = nn.ModuleList(_lstm(config.hidden_size, half) for _ in range(config.num_hidden_layers))
        self.backwards = nn.ModuleList(_lstm(config.hidden_size, half) for _ in range(config.num_hidden_layers))
        self.post_init()

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **_others: Any) -> BaseModelOutput:
        mask_bt = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        places_bt = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(input_ids)
        last_b1 = mask_bt.sum(dim=1, keepdim=True) - 1
        turned_bt = torch.where(places_bt <= last_b1, last_b1 - places_bt, places_bt)
        states_btd = self.dropout(self.word_embeddings(input_ids))
        for ahead, back in zip(self.forwards, self.backwards, strict=True):
            there_bth, _ = ahead(states_btd)
            back_bth, _ = back(_taken(states_btd, turned_bt))
            states_btd = self.dropout(torch.cat([there_bth, _taken(back_bth, turned_bt)], dim=2))
        return BaseModelOutput(last_hidden_state=states_btd)


class TextCnnEncoder(_Small):
    """Filters over neighbouring tokens. A token's state is what its window holds plus the most that the text has.

    The mean of the states is then mean and maximum over the text together; Kim (2014) takes the maximum.
    """

    config_class = TextCnnConfig

    def __init__(self, config: TextCnnConfig) -> None:
        super().__init__(config)
        num, width = len(config.windows), config.hidden_size
        sizes = [width // num + (at < width % num) for at in range(num)]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, size, window) for size, window in zip(sizes, config.windows, strict=True)
        )
        self.post_init()

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **_others: Any) -> BaseModelOutput:
        mask_bt = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        mask_b1t = mask_bt.unsqueeze(1).to(self.word_embeddings.weight.dtype)
        words_bdt = self.dropout(self.word_embeddings(input_ids)).transpose(1, 2) * mask_b1t
        found = []
        for convolution in self.convolutions:
            before = (convolution.kernel_size[0] - 1) // 2
            padded_bdt = functional.pad(words_bdt, (before, convolution.kernel_size[0] - 1 - before))
            found.append(functional.relu(convolution(padded_bdt)))
        states_bdt = torch.cat(found, dim=1) * mask_b1t
        states_bdt = self.dropout(states_bdt + states_bdt.amax(dim=2, keepdim=True))
        return BaseModelOutput(last_hidden_state=states_bdt.transpose(1, 2))


class LstmWriter(_Small, GenerationMixin):  # type: ignore[misc]
    """Goes on with a text, token by token; the embedding is the output layer as well. Padding may be on either side."""

    config_class = LstmWriterConfig
    _tied_weights_keys = {"lm_head.weight": "word_embeddings.weight"}  # noqa: RUF012  # as transformers asks for it

    def __init__(self, config: LstmWriterConfig) -> None:
        super().__init__(config)
        self.layers = nn.ModuleList(
            _lstm(config.hidden_size, config.hidden_size) for _ in range(config.num_hidden_layers)
        )
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self.lm_head = new_embeddings

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **_others: Any
    ) -> dict[str, Tensor | None]:
        return {"input_ids": input_ids, "attention_mask": attention_mask}

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **_others: Any) -> CausalLMOutput:
        turned_bt = None
        if attention_mask is not None:  # texts first, padding behind
            turned_bt = attention_mask.argsort(dim=1, descending=True, stable=True)
            input_ids = input_ids.gather(1, turned_bt)
        states_btd = self.dropout(self.word_embeddings(input_ids))
        for layer in self.layers:
            states_btd = states_btd + self.dropout(layer(states_btd)[0])
        if turned_bt is not None:
            states_btd = _taken(states_btd, turned_bt.argsort(dim=1))
        return CausalLMOutput(logits=self.lm_head(states_btd))


@cache
def register() -> None:
    """Let the Auto classes of transformers know these models."""
    for config, model in ((LstmConfig, LstmEncoder), (TextCnnConfig, TextCnnEncoder), (StaticConfig, StaticEncoder)):
        AutoConfig.register(config.model_type, config)
        AutoModel.register(config, model)
    AutoConfig.register(LstmWriterConfig.model_type, LstmWriterConfig)
    AutoModelForCausalLM.register(LstmWriterConfig, LstmWriter)


def _lstm(num_in: int, num_out: int) -> nn.LSTM:
    return nn.LSTM(num_in, num_out, batch_first=True)


def _taken(states_btd: Tensor, places_bt: Tensor) -> Tensor:
    return states_btd.gather(1, places_bt.unsqueeze(2).expand(-1, -1, states_btd.shape[2]))
