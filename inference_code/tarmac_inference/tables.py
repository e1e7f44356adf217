"""table-question-answering: the cells of a table that answer a question, by TAPAS. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .faults import CallerFault, LoadError
from .loading import load_model, load_tokenizer
from .payloads import Payload
from .tasks import Job, Task, as_text, kind_of

MAX_CELLS = 10_000


@dataclass(frozen=True)
class Query:
    """One question about one table, row by row."""

    question: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class TableQuestionAnswering(Task):
    """A reader of tables."""

    name = "table-question-answering"
    batch_items = 8

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load weights and tokenizer. Raises LoadError where pandas is missing: the tokenizer reads tables with it."""
        if find_spec("pandas") is None:
            raise LoadError("table-question-answering needs pandas; add it to code/requirements.txt")
        import pandas as pd  # noqa: F401  # before transformers, which otherwise takes it for missing: see `loading`

        model = load_model(
            model_dir, suffixes=("TapasForQuestionAnswering",), auto_class="AutoModelForTableQuestionAnswering"
        )
        return cls(model, load_tokenizer(model_dir))

    def take_inputs(self, payload: Payload) -> Any:
        """Take the inputs; one table with several questions is several inputs."""
        inputs = super().take_inputs(payload)
        if isinstance(inputs, dict) and isinstance(inputs.get("query"), list):
            return [{**inputs, "query": query} for query in inputs["query"]]
        return inputs

    def parse_item(self, value: Any, *, field: str) -> Query:
        """{"query", "table"}: the table as columns, or as a list of rows with the same keys."""
        if not isinstance(value, dict):
            raise CallerFault(f'it must be {{"query": ..., "table": ...}}, not {kind_of(value)}', field=field)
        question = as_text(value.get("query"), field=f"{field}.query")
        if not question.strip():
            raise CallerFault("it is empty", field=f"{field}.query")
        columns = _columns(value.get("table"), field=f"{field}.table")
        rows = tuple(zip(*columns.values(), strict=True))
        return Query(question=question, columns=tuple(columns), rows=rows)

    def sample(self) -> Payload:
        """A table of two cells."""
        return {"inputs": {"query": "Who is ready?", "table": {"who": ["the model"], "ready": ["yes"]}}}

    def render(self, job: Job, answers: Sequence[Any]) -> Any:
        """One question is answered without a list around it."""
        return list(answers) if job.is_list else answers[0]

    def answer(self, items: Sequence[Query], parameters: Any) -> list[dict[str, Any]]:  # noqa: ARG002  # it takes none
        """Find the cells for each question, and how they are to be put together."""
        return [self._answer(item) for item in items]

    def _answer(self, query: Query) -> dict[str, Any]:
        import pandas as pd

        # Objects: the tokenizer puts its own in place of the texts.
        table = pd.DataFrame([list(row) for row in query.rows], columns=list(query.columns), dtype=object)
        inputs = self.tokenizer(
            table=table, queries=query.question, truncation="drop_rows_to_fit", return_tensors="pt", padding=True
        )
        output = self.model(**{name: value.to(self.model.device) for name, value in inputs.items()})
        aggregation = getattr(output, "logits_aggregation", None)
        arguments = [output.logits.cpu()] + ([] if aggregation is None else [aggregation.cpu()])
        coordinates, *chosen = self.tokenizer.convert_logits_to_predictions(
            {name: value.cpu() for name, value in inputs.items()}, *arguments
        )
        places = [(int(row), int(column)) for row, column in coordinates[0]]
        cells = [query.rows[row][column] for row, column in places]
        answer: dict[str, Any] = {
            "answer": ", ".join(cells),
            "coordinates": [list(one) for one in places],
            "cells": cells,
        }
        if chosen:
            labels = getattr(self.model.config, "aggregation_labels", None) or {}
            aggregator = str(labels.get(chosen[0][0], "NONE"))
            answer["aggregator"] = aggregator
            if aggregator != "NONE":
                answer["answer"] = f"{aggregator} > {answer['answer']}"
        return answer


def _columns(table: Any, *, field: str) -> dict[str, list[str]]:
    if isinstance(table, list) and table and all(isinstance(row, dict) for row in table):
        names = list(table[0])
        if any(row.keys() != table[0].keys() for row in table):
            raise CallerFault("its rows must all have the same columns", field=field)
        table = {name: [row[name] for row in table] for name in names}
    if not isinstance(table, dict) or not table:
        raise CallerFault(f"it must be an object of columns, each a list of cells, not {kind_of(table)}", field=field)
    columns: dict[str, list[str]] = {}
    for name, cells in table.items():
        if not isinstance(cells, list):
            raise CallerFault(f"it must be a list of cells, not {kind_of(cells)}", field=f"{field}.{name}")
        columns[as_text(name, field=field)] = [_cell(cell, field=f"{field}.{name}") for cell in cells]
    lengths = {len(cells) for cells in columns.values()}
    if lengths == {0} or len(lengths) > 1:
        raise CallerFault("its columns must be equally long, and not empty", field=field)
    if lengths.pop() * len(columns) > MAX_CELLS:
        raise CallerFault(f"it has more than {MAX_CELLS} cells", field=field)
    return columns


def _cell(value: Any, *, field: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CallerFault(f"a cell must be a string or a number, not {kind_of(value)}", field=field)
    return as_text(str(value), field=field)
