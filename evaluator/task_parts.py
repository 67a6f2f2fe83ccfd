"""What tasks are made of beside their data, as suites write it."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal, Self

import regex
from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Words = Annotated[str, Field(max_length=4000)]
QUESTION_VERSIONS = ("paper", "v1")
"""Of the templates in `evaluator.wording`, for questions in words."""
_IN_TEMPLATES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.List, nodes.Tuple),
    *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Concat, nodes.Add, nodes.Sub),
    *(nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.For),
)
"""What a template of a suite may be made of: nothing that takes time or memory without bound."""
_TEMPLATE_FILTERS = frozenset({"capitalize", "length", "lower", "title", "trim", "upper"})
MOST_TIMES = 1000
"""What the counts in a regular expression may multiply to: each is compiled as so many copies."""
_COUNT = re.compile(r"\{([0-9]+)")
_SPACED = re.compile(r"\(\?[\w-]*x[\w-]*[:)]")


class PromptSpec(BaseModel):
    """How a question is put into words for models that take them; others do not read it.

    Attributes:
        version: of the service's templates, for example "v1", or "paper" for the words of arXiv:2405.00876.
        modality: kind of image, as it stands in a sentence, for example "SEM".
        object_name: what the objects are, in the plural.
        context: what else the model should know, in whole sentences.
        answer_mode: "generation" or "likelihood"; None: the model's service decides.
        template: for questions in words only, a Jinja2 template instead of one that comes along; it knows
            question, options (pairs of a letter and an option), kind, context, modality and object_name. It
            may have conditions, one loop over options at a time, and filters without arguments.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Name = "v1"
    modality: Words = ""
    object_name: Words = ""
    context: Words = ""
    answer_mode: Literal["generation", "likelihood"] | None = None
    template: Words = ""

    @field_validator("template")
    @classmethod
    def _check_template(cls, text: str) -> str:
        try:
            template = SandboxedEnvironment().parse(text)
        except TemplateSyntaxError as error:
            raise ValueError(f"line {error.lineno}: {error.message}") from error
        for node in template.find_all(nodes.Node):
            if not _is_bounded(node):
                raise ValueError(
                    f"line {node.lineno}: {type(node).__name__.lower()} is not for templates of questions: "
                    "they have conditions, one loop over options at a time, and the filters "
                    + ", ".join(sorted(_TEMPLATE_FILTERS))
                )
        return text


def _is_bounded(node: nodes.Node) -> bool:
    """Whether a part of a template takes no more time and memory than its length and its values say."""
    if isinstance(node, nodes.Filter):
        return node.name in _TEMPLATE_FILTERS and not (node.args or node.kwargs)
    if isinstance(node, nodes.For):
        return node.iter == nodes.Name("options", "load") and node.find(nodes.For) is None
    return isinstance(node, _IN_TEMPLATES)


class ImportSpec(BaseModel):
    """Predictions that were made elsewhere, by a program or by people, as a model among the others.

    Attributes:
        model: the name that they are shown under.
        table: a CSV file (with a header) or JSON Lines, relative to the folder of the dataset.
        sample: the column that names the sample: its image's path below that folder or its file name, or the
            id of the sample.
        answer: the column with the answer: a count, a class (as the data or the label schema has it), or the
            path of a label image. "NaN" and the like abstain; an empty cell is an answer that nobody could
            read.
        unit: of numbers that answer a question in words, where the column leaves it out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Name
    table: str
    sample: str
    answer: str
    unit: str = ""


class ReferenceSpec(BaseModel):
    """A published figure that the report shows below those of the models; it is tested against none.

    Attributes:
        name: whose figure it is, for example "SAM, automated".
        metric: one of the kind of the task.
        value: the figure, or the lower end of what is claimed.
        upper: the upper end, where a range is claimed.
        n: samples behind it, where that is told.
        source: where it was published.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    metric: str
    value: Annotated[float, Field(allow_inf_nan=False)]
    upper: Annotated[float, Field(allow_inf_nan=False)] | None = None
    n: Annotated[int, Field(gt=0)] | None = None
    source: Annotated[str, Field(min_length=1, max_length=400)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.upper is not None and self.upper < self.value:
            raise ValueError("upper is below value")
        return self


class TunedSpec(BaseModel):
    """Samples that parameters of models, or their prompts, were tuned on; they count in no figure of these.

    Attributes:
        models: their names, as the gateway or `ImportSpec.model` has them; empty: every model of the task.
        evaluation: id of the evaluation that they were tuned by: all of its samples.
        table: or a CSV file (with a header) or JSON Lines that lists them, as `ImportSpec.table`.
        sample: the column of that table which names the sample, as `ImportSpec.sample`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    evaluation: str = ""
    table: str = ""
    sample: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.evaluation) == bool(self.table):
            raise ValueError("evaluation or table is needed, and not both")
        if bool(self.table) != bool(self.sample):
            raise ValueError("sample: names the column of a table")
        return self


class FilterStep(BaseModel):
    """One step from all that a model wrote to the part that is read as its answer; one field is given.

    Attributes:
        after: what follows the last place where this stands, as "</think>".
        match: what a regular expression finds: its first group, or all of it. Lines have ends (`^`, `$`).
            There is no flag x, and its counts (`{9}`) multiply to at most `MOST_TIMES`.
        which: of several matches.
        line: the first or the last line that is not empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    match: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    which: Literal["first", "last"] = "last"
    line: Literal["first", "last"] | None = None

    @field_validator("match")
    @classmethod
    def _check_match(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        if _SPACED.search(pattern):  # spaces and comments within a count would hide how large it is
            raise ValueError("the flag x: a regular expression is written without spaces")
        if math.prod(max(1, int(count)) for count in _COUNT.findall(pattern)) > MOST_TIMES:
            raise ValueError(f"counts like {{9}} may multiply to at most {MOST_TIMES:,} in a pattern")
        try:
            regex.compile(pattern)
        except regex.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("after", "match", "line") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("one of after, match and line is needed")
        if "which" in self.model_fields_set and self.match is None:
            raise ValueError("which: belongs to match")
        return self


Filters = Annotated[dict[Name, tuple[FilterStep, ...]], Field(max_length=8)]
"""Name -> steps; without any, the text is read as it was written."""
