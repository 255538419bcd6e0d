"""Put a tuning method to a base, and take it off again: PEFT does the work where it knows the method. Imports PyTorch.

What a method adds is either merged into the base's weights at the end (LoRA's family and IA3), so that nothing that
reads the model knows of it, or laid beside them in the folder `tuning` and put back by `restored`.
"""

import sys
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modelmint.core.errors import InputError
from modelmint.training.methods.adapter import (
    blocks_of,
    freeze_but_adapters,
    has_adapters,
    with_adapters,
    without_adapters,
)
from modelmint.training.methods.four_bits import to_four_bits, to_whole_weights
from modelmint.training.methods.spec import (
    AdaLora,
    Adapter,
    AnyMethod,
    Freeze,
    Full,
    Ia3,
    Lora,
    Prefix,
    Prompt,
    PTuning,
    QLora,
)

FOLDER = "tuning"
ADAPTERS = "adapters.safetensors"


def tune(model: nn.Module, method: AnyMethod, *, freeze_embeddings: bool = False, num_steps: int = 1_000) -> None:
    """Set which weights of `model.encoder` are trained, in place; what is outside it always is.

    Raises:
        InputError: the method does not fit the base.
    """
    model.encoder = tuned(model.encoder, method, num_steps=num_steps)
    if freeze_embeddings:
        model.encoder.get_input_embeddings().weight.requires_grad_(False)
        for name, parameter in model.encoder.named_parameters():
            if "embeddings." in name:
                parameter.requires_grad_(False)


def tuned(base: Any, method: AnyMethod, *, kind: str = "FEATURE_EXTRACTION", num_steps: int = 1_000) -> Any:
    """`base` with the method put to it.

    Args:
        kind: PEFT's name of what the base is for: FEATURE_EXTRACTION, CAUSAL_LM or SEQ_2_SEQ_LM.
        num_steps: of the whole training; AdaLoRA plans its ranks by it.

    Raises:
        InputError: the method does not fit the base.
    """
    if has_adapters(base) or hasattr(base, "peft_config"):
        return _gone_on_with(base, method)
    if isinstance(method, Full):
        return base
    if isinstance(method, Freeze):
        return _frozen(base, method)
    if isinstance(method, Adapter):
        with_adapters(base, width=method.width)
        freeze_but_adapters(base)
        return base
    if isinstance(method, QLora):
        to_four_bits(base)
    from peft import get_peft_model

    try:
        return get_peft_model(base, _config(method, base, kind, num_steps))
    except (ValueError, KeyError, AttributeError, NotImplementedError) as error:
        why = str(error).strip().partition("\n")[0][:300]
        raise InputError(
            f"method: `{method.name}` must fit the base, {getattr(base.config, 'model_type', 'of no type')}; {why}",
            parameter="method",
            remedy="`method: lora` and `method: full` fit every base.",
        ) from error


def plain(encoder: Any) -> Any:
    """The base with what was trained merged into its weights, where the method can; else as it is."""
    to_whole_weights(encoder)
    return encoder.merge_and_unload() if hasattr(encoder, "merge_and_unload") and _merges(encoder) else encoder


def save(encoder: Any, folder: Path) -> Any:
    """Write what cannot be merged into ``folder/tuning``, and give the base itself, to be written beside it."""
    beside = folder / FOLDER
    if has_adapters(encoder):
        beside.mkdir(parents=True)
        base, tensors = without_adapters(encoder)
        save_file(tensors, beside / ADAPTERS)
        return base
    if not hasattr(encoder, "peft_config"):
        return encoder
    for config in encoder.peft_config.values():
        config.base_model_name_or_path = ""  # else the path of this run's scratch, and no two runs were alike
    encoder.save_pretrained(beside)
    (beside / "README.md").unlink(missing_ok=True)
    return encoder.get_base_model()


def restored(encoder: Any, folder: Path) -> Any:
    """The base of a saved folder with what lies in ``folder/tuning`` put back, if there is something."""
    beside = folder / FOLDER
    if (beside / ADAPTERS).is_file():
        return with_adapters(encoder, tensors=load_file(beside / ADAPTERS))
    if not (beside / "adapter_config.json").is_file():
        return encoder
    from peft import PeftModel

    return PeftModel.from_pretrained(encoder, str(beside))


def after_step(model: nn.Module, step: int) -> None:
    """What a method does between steps: AdaLoRA moves its ranks. Called before the gradients are cleared."""
    for module in _rank_movers(model):
        module.update_and_allocate(step)


def extra_loss(model: nn.Module, method: AnyMethod) -> Tensor | None:
    """What a method adds to the loss: AdaLoRA's orthogonality of its matrices."""
    if not isinstance(method, AdaLora) or not method.orthogonality:
        return None
    import torch

    terms = [
        torch.norm(weight @ weight.T - torch.eye(len(weight), device=weight.device))
        if "lora_A" in name
        else torch.norm(weight.T @ weight - torch.eye(weight.shape[1], device=weight.device))
        for name, weight in model.named_parameters()
        if ("lora_A" in name or "lora_B" in name) and weight.requires_grad
    ]
    return method.orthogonality * torch.stack(terms).mean() if terms else None


def moving_state(model: nn.Module) -> dict[str, Tensor]:
    """What a method keeps from step to step beside the weights: it belongs into a checkpoint."""
    found = {}
    for at, module in enumerate(_rank_movers(model)):
        for part in ("ipt", "exp_avg_ipt", "exp_avg_unc"):
            for name, tensor in getattr(module.rankallocator, part).items():
                found[f"{at}|{part}|{name}"] = tensor
    return found


def load_moving_state(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put it back."""
    movers = _rank_movers(model)
    for joined, tensor in tensors.items():
        at, part, name = joined.split("|")
        getattr(movers[int(at)].rankallocator, part)[name] = tensor


def _gone_on_with(base: Any, method: AnyMethod) -> Any:
    """A model to start from whose method could not be merged: the same one goes on."""
    if isinstance(method, Full | Freeze | Lora | QLora | AdaLora | Ia3):
        raise InputError(
            f"method: must be that of the model to start from, whose parts cannot be merged; got {method.name}",
            parameter="method",
            remedy="Set train.method to that of the earlier training, or start from the base.",
        )
    if has_adapters(base):
        freeze_but_adapters(base)
    else:
        for name, parameter in base.named_parameters():
            parameter.requires_grad_("prompt_encoder" in name)
    return base


def _frozen(base: Any, method: Freeze) -> Any:
    layers = blocks_of(base)
    base.requires_grad_(False)
    for layer in layers[max(0, len(layers) - method.num_layers) :]:
        layer.requires_grad_(True)
    return base


def _config(method: AnyMethod, base: Any, kind: str, num_steps: int) -> Any:
    import peft

    if isinstance(method, Lora | QLora):
        return peft.LoraConfig(
            task_type=kind,
            r=method.rank,
            lora_alpha=method.alpha,
            lora_dropout=method.dropout,
            target_modules=list(method.targets) or "all-linear",
            use_rslora=method.name == "rslora",
            use_dora=method.name == "dora",
        )
    if isinstance(method, AdaLora):
        return peft.AdaLoraConfig(
            task_type=kind,
            init_r=method.rank * 3 // 2,
            target_r=method.rank,
            lora_alpha=method.alpha,
            target_modules=_linear_names(base),
            total_step=max(num_steps, 10),
            tinit=max(1, num_steps // 10),
            tfinal=max(1, num_steps // 3),
            deltaT=max(1, num_steps // 100),
        )
    if isinstance(method, Ia3):
        return peft.IA3Config(task_type=kind)
    if isinstance(method, Prefix):
        return peft.PrefixTuningConfig(task_type=kind, num_virtual_tokens=method.num_tokens)
    if isinstance(method, Prompt):
        return peft.PromptTuningConfig(task_type=kind, num_virtual_tokens=method.num_tokens)
    if isinstance(method, PTuning):
        return peft.PromptEncoderConfig(
            task_type=kind, num_virtual_tokens=method.num_tokens, encoder_hidden_size=method.width
        )
    raise InputError(f"method: {method.name} is not one that PEFT knows", parameter="method")


def _linear_names(base: Any) -> list[str]:
    """The names of the linear layers inside the blocks; AdaLoRA takes no "all-linear"."""
    return sorted(
        {
            name.rpartition(".")[2]
            for block in blocks_of(base)
            for name, one in block.named_modules()
            if type(one) is nn.Linear
        }
    )


def _merges(encoder: Any) -> bool:
    return all(config.peft_type.value in ("LORA", "ADALORA", "IA3") for config in encoder.peft_config.values())


def _rank_movers(model: nn.Module) -> list[Any]:
    if "peft" not in sys.modules:
        return []
    from peft import AdaLoraModel

    return [module for module in model.modules() if isinstance(module, AdaLoraModel)]
