"""augment: more training rows, changed a little; and labels evened out by copies, by fewer rows or by weights."""

from dataclasses import dataclass

from pydantic import Field

from modelmint.core.errors import DataError
from modelmint.core.forms import Form, form_of
from modelmint.core.spec import Spec
from modelmint.core.stage import StageContext
from modelmint.core.tables import batches
from modelmint.core.types import Dataset, Report
from modelmint.data.augmenting.audio_edits import AudioEdits
from modelmint.data.augmenting.back_translation import BackTranslation, Translator
from modelmint.data.augmenting.balance import Balance, Plan, WeightRule, plan
from modelmint.data.augmenting.facts import augmentation
from modelmint.data.augmenting.growing import Growing, LabelledRows, read_rows
from modelmint.data.augmenting.image_edits import ImageEdits
from modelmint.data.augmenting.row_edits import Edits, change_of
from modelmint.data.augmenting.synthetic import TableEdits
from modelmint.data.augmenting.text_edits import TextEdits
from modelmint.data.facts import carried, counted
from modelmint.data.pages.augmentation import augment_page
from modelmint.data.quarantine import Quarantine
from modelmint.data.slices import LENGTH, MIN_ROWS, label_rates
from modelmint.data.splitting.strata import has_classes

_TRANSLATED = (
    "text-classification",
    "text-pair-classification",
    "multi-label-classification",
    "text-regression",
    "text2text-generation",
)


class AugmentSpec(Spec):
    """Add changed copies of training rows, and even out rare labels. Validation and test rows are never touched."""

    copies: int = Field(default=0, ge=0, le=20)
    """How many changed copies of every training row are added."""
    balance: Balance = "none"
    """What is done about rare labels: `oversample` makes more changed copies of their rows (of a table: new rows between
    them, SMOTE), `undersample` puts rows of the common ones aside, `weights` makes their rows count more in training
    (`_weight`) and adds none. The cheapest, and seldom worse, is `weights`.
    """
    ratio: float = Field(default=1.0, gt=0, le=1)
    """How even the labels become: the rarest has this share of the commonest one's rows (or weight). 1 makes all equal."""
    max_copies: int = Field(default=20, ge=1, le=1000)
    """Of one row no more copies are made than this, however rare its label is."""
    weights: WeightRule = "inverse"
    """`inverse` weighs by the number of rows ("balanced"), `effective` by the effective number (Cui et al. 2019)."""
    beta: float = Field(default=0.999, gt=0, lt=1)
    """Of `weights: effective`: from about 1 / (1 - beta) rows on, more of them hardly count."""
    text: TextEdits = TextEdits()
    """How copies of texts and of sentences with tags are changed."""
    back_translation: BackTranslation | None = None
    """A translation model: the first copy of each text is then its translation there and back, the others are changed
    as `text` says.
    """
    image: ImageEdits = ImageEdits()
    """How copies of images are changed."""
    audio: AudioEdits = AudioEdits()
    """How copies of recordings are changed."""
    table: TableEdits = TableEdits()
    """How new rows of tables are made."""
    slices: tuple[str, ...] = ()
    """Columns by whose values the report compares sizes and label rates, before and after; `length` and `language` of
    texts too. The length of texts is always compared.
    """
    min_slice_rows: int = Field(default=MIN_ROWS, ge=1)
    """A group with fewer rows is called small and not compared."""


@dataclass(frozen=True, kw_only=True)
class AugmentInputs:
    """Training rows of any form, with `_row`."""

    train: Dataset


@dataclass(frozen=True, kw_only=True)
class AugmentOutputs:
    """`train` has the same columns, `_of` (the `_row` that a new row was made from; null for the old ones) and, with
    `balance: weights`, `_weight`.
    """

    train: Dataset
    quarantine: Dataset
    augmentation: Report


def augment(spec: AugmentSpec, inputs: AugmentInputs, ctx: StageContext) -> AugmentOutputs:
    """A copy depends on its row's id, its number and the seed alone: neither the order of the rows nor how they were
    batched matters. What is left alone, and why, stands in the report.

    Raises:
        DataError: there are no rows, they are copies already, or a slice is no column.
        InputError, UnavailableError, AuthError: the translation model cannot be asked.
    """
    data, form = inputs.train, form_of(inputs.train)
    if data.num_rows == 0:
        raise DataError("train: the dataset has no rows", parameter="train", remedy="Look into the split before.")
    if "_of" in data.facts["columns"]:
        raise DataError(
            "train: must be rows as they were collected; these have a column `_of`: they were augmented before",
            parameter="train",
            remedy="Augment once, with all that is wanted in one stage.",
        )
    rows = read_rows(data, form, ctx)
    planned = _planned(spec, form, rows)
    before = label_rates(batches(data), form, _slices(spec, form, data), min_rows=spec.min_slice_rows)
    translated = spec.back_translation is not None and form.task in _TRANSLATED and planned.copies.any()
    growing = Growing(
        form=form,
        change=change_of(form, Edits(text=spec.text, image=spec.image, audio=spec.audio)),
        translator=Translator(spec.back_translation, ctx.checkpoints, ctx)
        if spec.back_translation and translated
        else None,
        spool=ctx.scratch / "augmented.parquet",
        ctx=ctx,
    )
    with Quarantine(ctx.scratch) as quarantine:
        growing.copy(data, planned, quarantine, num_plain=spec.copies)
        if form.task == "tabular-classification":
            growing.mix(data, rows, planned, spec.table)
    weights = (
        growing.weigh(rows.names, ratio=spec.ratio, rule=spec.weights, beta=spec.beta) if _weighs(spec, form) else {}
    )
    labels = _labels(form, growing, data)
    train = ctx.desk.dataset(
        "train", growing.grown(weights), schema=growing.schema(weights), facts=carried(data) | {"labels": labels}
    )
    columns = _slices(spec, form, data)
    after = label_rates(batches(train), form, columns, min_rows=spec.min_slice_rows, edges=before.edges)
    facts = augmentation(
        form,
        growing,
        asked={name: getattr(spec, name) for name in ("copies", "balance", "ratio", "max_copies")},
        labels=(rows.counts(), labels),
        weights=weights,
        short=[rows.names[at] for at in planned.short],
        num_rows=(data.num_rows, train.num_rows),
        slices=(before.columns, after.columns),
        set_aside=dict(quarantine.counts),
    )
    page = augment_page(facts, growing.media, about=data.name)
    report = ctx.desk.report("augmentation", facts, renderings={"report.html": page})
    return AugmentOutputs(train=train, quarantine=quarantine.dataset(ctx.desk), augmentation=report)


def _labels(form: Form, growing: Growing, data: Dataset) -> dict[str, int]:
    if form.predicts == "classes":
        return counted(growing.sets)
    return counted(growing.labels) if has_classes(form) else data.facts.get("labels", {})


def _planned(spec: AugmentSpec, form: Form, rows: LabelledRows) -> Plan:
    can_copy = form.task == "tabular-classification" or change_of(form, Edits()) is not None
    return plan(
        rows.label,
        rows.draw,
        copies=spec.copies if can_copy else 0,
        balance=spec.balance if has_classes(form) else "none",
        ratio=spec.ratio,
        max_copies=max(spec.max_copies, spec.copies),
    )


def _weighs(spec: AugmentSpec, form: Form) -> bool:
    return spec.balance == "weights" and has_classes(form)


def _slices(spec: AugmentSpec, form: Form, data: Dataset) -> list[str]:
    lengths = [LENGTH] if form.texts and LENGTH not in data.facts["columns"] else []
    return list(dict.fromkeys([*lengths, *spec.slices]))
