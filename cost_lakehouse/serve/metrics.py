"""``/metrics``, in Prometheus's text format: how fresh every source is, what was refused, and what yesterday cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.request import Range
from cost_lakehouse.ask.request import Request as Question
from cost_lakehouse.audit.receipts import REFUSED, plain
from cost_lakehouse.loading.last_polls import last_polls
from cost_lakehouse.loading.statuses import SliceStatus, SourceStatus, source_statuses, statuses
from cost_lakehouse.serve.parameters import Parameters
from cost_lakehouse.serve.replies import etag_of, sent_text
from cost_lakehouse.serve.served import STATES, Handler, Served

TEXT = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "cost_lakehouse_"


@dataclass(frozen=True)
class Sample:
    """A value with its labels."""

    labels: Mapping[str, str]
    value: Decimal | float | int


@dataclass(frozen=True)
class Metric:
    """A gauge, what it says, and its samples."""

    name: str
    says: str
    samples: Sequence[Sample]


def metrics(served: Served, request: Request) -> Response:
    """``/metrics``."""
    Parameters(request.query_params.multi_items(), ())
    served.for_all_alone("Metrics")
    found = statuses(served.lake)
    sources = source_statuses(served.lake.settings, last_polls(served.lake.settings), found)
    text = metrics_text([*_of_sources(sources, found), _yesterday(served, datetime.now(UTC).date())])
    return sent_text(request, text, TEXT, etag_of(text))


def metrics_text(found: Iterable[Metric]) -> str:
    """The metrics as Prometheus reads them. Pure."""
    lines = []
    for metric in found:
        name = f"{_PREFIX}{metric.name}"
        lines += [f"# HELP {name} {metric.says}", f"# TYPE {name} gauge"]
        for sample in metric.samples:
            labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in sample.labels.items())
            value = plain(sample.value) if isinstance(sample.value, Decimal) else f"{sample.value}"
            lines.append(f"{name}{{{labels}}} {value}")
    return "\n".join(lines) + "\n"


def _of_sources(sources: Sequence[SourceStatus], found: Sequence[SliceStatus]) -> list[Metric]:
    """What is known of every source without asking the engine. Pure."""
    own = {source.source: [one for one in found if one.slice_.source == source.source] for source in sources}
    receipts = {name: [receipt.loaded_at for one in there for receipt in one.held] for name, there in own.items()}
    refused = {name: sum(one.state == REFUSED for one in there) for name, there in own.items()}
    return [
        Metric(
            "source_state",
            "1 for the state that the source is in: active, paused, waiting or failing.",
            [Sample({"source": one.source, "kind": one.kind, "state": one.state}, 1) for one in sources],
        ),
        Metric(
            "source_last_look_timestamp_seconds",
            "When the source was last looked at.",
            [Sample({"source": one.source}, _seconds(one.looked_at)) for one in sources if one.looked_at],
        ),
        Metric(
            "source_newest_delivery_timestamp_seconds",
            "When the newest delivery of the source was made.",
            [Sample({"source": one.source}, _seconds(one.newest_delivery)) for one in sources if one.newest_delivery],
        ),
        Metric(
            "source_last_receipt_timestamp_seconds",
            "When a delivery of the source was last loaded.",
            [Sample({"source": name}, _seconds(max(moments))) for name, moments in receipts.items() if moments],
        ),
        Metric(
            "source_refused_months",
            "Months of the source whose newest delivery was refused.",
            [Sample({"source": name}, count) for name, count in refused.items()],
        ),
    ]


def _yesterday(served: Served, today: date) -> Metric:
    """What the usage of yesterday (UTC) costs, as billed; nothing before the first summary."""
    samples = []
    if f"marts.{STATES}" in served.lake.table_names():
        answer = served.answer(Question(Range(today - timedelta(days=1), today), groups=("source",)))
        samples = [
            Sample({"source": row.values[0] or "", "currency": row.currency_code or ""}, row.cost) for row in answer.rows
        ]
    return Metric("yesterday_cost", "What usage of yesterday costs as billed; it still grows for some days.", samples)


def _seconds(moment: datetime) -> int:
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(aware.timestamp())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


ROUTES: tuple[tuple[str, Handler], ...] = (("/metrics", metrics),)
