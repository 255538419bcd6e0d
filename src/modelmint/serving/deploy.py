"""deploy: switch an endpoint to the variant that passed.

The stage states the release; `apply` does it, at the end of every run that reaches it, and changes nothing when the
endpoint serves that variant already.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, field_validator

from modelmint.catalog import deployments
from modelmint.catalog.catalog import Catalog
from modelmint.core.errors import InputError
from modelmint.core.inputs import labels_of
from modelmint.core.money import money
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Model, Report

ENGINES = ("onnx", "openvino", "genai", "lightgbm", "numpy")


class DeploySpec(Spec):
    """Where the variant is served, and for how much."""

    endpoint: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]
    """The name that callers give as `model`: 1 to 63 small letters, digits, dots and hyphens."""

    price: str = "0 USD"
    """What 1,000 inputs cost the caller, e.g. "0.50 USD"; a chat that is answered, or a text that is gone on with, is one input."""

    @field_validator("price")
    @classmethod
    def _is_money(cls, price: str) -> str:
        try:
            return str(money(price))
        except InputError as error:
            raise ValueError(error.message) from error


@dataclass(frozen=True, kw_only=True)
class DeployInputs:
    """What is served, what it was made from, and the proofs that it may be."""

    model: Model
    variant: Model
    parity: Report
    evaluation: Report
    overrides: tuple[Report, ...] = ()
    """What a person let pass in the same run."""


@dataclass(frozen=True, kw_only=True)
class DeployOutputs:
    """The release: what is to be served where, with what passed."""

    release: Report


def deploy(spec: DeploySpec, inputs: DeployInputs, ctx: StageContext) -> DeployOutputs:
    """State the release. It is refused when a gate before it refused, unless a person let that very report pass."""
    let_pass = {one["digest"]: word.facts for word in inputs.overrides for one in word.facts["reports"]}
    refused = [
        f"{role}: {reason}"
        for role, report in (("evaluation", inputs.evaluation), ("parity", inputs.parity))
        for reason in report.facts.get("refused", [])
        if report.digest not in let_pass
    ]
    if inputs.variant.facts.get("engine") not in ENGINES:
        refused.append(
            f"variant: must be exported for serving (engine {', '.join(ENGINES)}); it is for "
            f"{inputs.variant.facts.get('engine')!r}"
        )
    return DeployOutputs(
        release=ctx.desk.report(
            "release",
            {
                "endpoint": spec.endpoint,
                "price": spec.price,
                "variant": inputs.variant.facts.get("variant"),
                "labels": labels_of(inputs.variant.facts),
                "digests": {"model": inputs.model.digest, "variant": inputs.variant.digest},
                "refused": refused,
                **_overridden(inputs.overrides),
            },
        )
    )


def _overridden(overrides: Sequence[Report]) -> JSON:
    words = [{name: word.facts[name] for name in ("stage", "by", "reason", "refused")} for word in overrides]
    return {"overridden": words} if words else {}


def apply(
    catalog: Catalog,
    run: str,
    spec: DeploySpec,
    inputs: Mapping[str, Sequence[str]],
    outputs: Mapping[str, Sequence[str]],
) -> JSON:
    """Point the endpoint to the variant; doing it again changes nothing. Returns ``{"endpoint", "revision"}``.

    Args:
        inputs, outputs: role -> artifact ids.
    """
    made = deployments.deploy(
        catalog,
        endpoint=spec.endpoint,
        model=inputs["model"][0],
        variant=inputs["variant"][0],
        price=spec.price,
        release=outputs["release"][0],
        run=run,
        actor=run,
    )
    return {"endpoint": made.endpoint, "revision": made.revision}
