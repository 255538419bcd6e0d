"""One step of making a body: what it is asked for, and the rows that it is made by."""

from dataclasses import dataclass
from pathlib import Path

from modelmint.compression.bodies import BodyInputs, facts_of, facts_path
from modelmint.core import tables
from modelmint.core.errors import DataError
from modelmint.core.stage import StageContext
from modelmint.core.types import JSON, Dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """`folder` is what it is made from: the trained model, or the body of the steps before it.

    `name` is that of all steps until this one, `about` what `folder` says of itself.
    """

    step: str
    name: str
    folder: Path
    given: BodyInputs
    ctx: StageContext
    about: JSON

    @property
    def kind(self) -> str:
        return self.step.partition("-")[0]

    @property
    def amount(self) -> str:
        """What stands behind the kind: a number, or a name."""
        return self.step.partition("-")[2]

    @property
    def inputs(self) -> list[str]:
        """The columns that the model reads; none of a model that reads neither texts nor pairs of them."""
        return list(self.about.get("inputs", ()))

    def before(self) -> JSON:
        """The facts of the steps before; empty where this is the first."""
        return facts_of(self.folder) if facts_path(self.folder).exists() else {}

    def train_texts(self) -> list[list[str]]:
        """The texts of the training rows, then those without labels: a list for each of `inputs`."""
        columns = [texts_of(one, self.inputs, role) for one, role in self.rows()]
        return [[text for column in columns for text in column[at]] for at in range(len(self.inputs))]

    def all_contents(self) -> list[str | tuple[str, str]]:
        """Rows as a tokenizer is given them; of a model that reads neither texts nor pairs, what its rows say."""
        from modelmint.training.scratch.new_base import contents_of

        if not self.inputs:
            return [text for one, _ in self.rows() for text in contents_of(one)]
        columns = self.train_texts()
        return list(columns[0]) if len(columns) == 1 else list(zip(*columns, strict=True))

    def digests(self) -> list[str]:
        """Of the rows that are read."""
        return [one.digest for one, _ in (*self.rows(), (self.given.validation, "validation"))]

    def rows(self) -> list[tuple[Dataset, str]]:
        more = self.given.unlabelled
        return [(self.given.train, "train"), *([(more, "unlabelled")] if more is not None else [])]


def texts_of(dataset: Dataset, names: list[str], role: str) -> list[list[str]]:
    """The columns of texts.

    Raises:
        DataError: the dataset lacks one, or a cell of it.
    """
    lacking = [name for name in names if name not in dataset.facts["columns"]]
    if lacking:
        raise DataError(
            f"{role}: must have the column{'s' * (len(names) > 1)} {' and '.join(names)}; it lacks {', '.join(lacking)}",
            parameter=role,
            remedy="Collect the source as rows of the model's own task, or leave it out.",
        )
    table = tables.read(dataset, names)
    num_missing = sum(table.column(name).null_count for name in names)
    if num_missing:
        raise DataError(
            f"{role}: must have a {' and a '.join(names)} in each row; got {num_missing} cells without one",
            parameter=role,
            remedy="Run collect and clean first: they put such rows into quarantine.",
        )
    return [table.column(name).to_pylist() for name in names]
