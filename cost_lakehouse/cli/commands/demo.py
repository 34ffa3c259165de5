"""``cost-lakehouse demo``: sample bills through the whole pipeline, told as a story with the receipts."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from cost_lakehouse.cli.commands.demo_fleet import PUSH, PUSHED, SECOND, push_and_read_back
from cost_lakehouse.cli.commands.demo_proof import look_back
from cost_lakehouse.cli.commands.discover import plan_all
from cost_lakehouse.cli.commands.run import Loaded, is_due, print_corrections, print_loads, print_summary
from cost_lakehouse.cli.commands.status import show_status
from cost_lakehouse.cli.interrupts import Interruption
from cost_lakehouse.cli.output import EXIT_FAILED, amount_shown, console, print_problem, print_table, say
from cost_lakehouse.cli.progress import LoadBar, working
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.summaries.stale import stale_slices
from sample_bills import demo as story

if TYPE_CHECKING:
    from cost_lakehouse.orchestration.runner import InProcess

CONFIG = "lakehouse.yaml"
ALLOCATIONS = "allocations.yaml"
BILLS = "bills"
# What the demo makes, and may therefore take away again.
OWN = (CONFIG, ALLOCATIONS, BILLS, PUSHED, SECOND, "lake", ".dagster")
EXAMPLE = "select * from marts.daily_costs limit 10"
LARGEST_SERVICES = """
select source, strftime(billing_period, '%Y-%m'), service, currency_code, sum(billed_cost) as cost
from marts.daily_costs
group by all
order by abs(cost) desc
limit 10
"""
_RULES = """# Who bears which costs; the first rule that takes a line decides.
labels:
  team: {from: ["tag:team"], case: lower}
versions:
  - valid_from: 2020-01
    rules:
      - {name: own tag, to: {label: team}}
      - {name: databases, where: ["service=AmazonRDS,DATABASE"], to: data}
      - {name: tax goes with costs, where: ["type=Tax"], split: {cost: {}}}
      - {name: storage, where: ["service=AmazonS3"], split: {shares: {search: 2, billing: 1}}}
"""
MARK = "# Made by `cost-lakehouse demo`, which makes this folder anew each time."


def run_demo(folder: Path, today: date | None = None, exact: bool = False, interruption: Interruption | None = None) -> int:
    """Tell the story in ``folder`` as of ``today``, by default of now; the exit code.

    Raises ConfigurationError where the folder holds something that is not a demo's.
    """
    today = today or story_day(datetime.now(UTC))
    settings = prepare(folder.expanduser().resolve(), today)
    # The demo lives in its own folder, whatever the caller's environment says.
    for name in ("DAGSTER_HOME", "COST_LAKEHOUSE_DAGSTER_DB", "COST_LAKEHOUSE_LOGS"):
        os.environ.pop(name, None)
    # What comes in steps 2 to 4 is summarised together: a build of one month takes about as long as one of three.
    steps: list[tuple[Callable[[Path, date], story.Step], bool]] = [
        (story.first_deliveries, True),
        (story.redelivery, False),
        (story.late_rows, False),
        (story.late_refund, True),
        (story.refused, True),
    ]
    interruption = interruption or Interruption()
    interruption.says = lambda: f"What was made so far is in {settings.base}; `demo` makes it anew each time."
    lake = Lake(settings)
    with LoadBar() as bar:
        with working("Starting Dagster", bar.console):
            from cost_lakehouse.orchestration.instance import command_instance
            from cost_lakehouse.orchestration.runner import InProcess
        with command_instance(settings) as instance:
            runner = InProcess(settings, instance, bar.of_run)
            told_right: list[bool] = []
            for number, (step, summarized) in enumerate(steps, start=1):
                arrived = step(settings.base / BILLS, today)
                told_right.append(_tell(number, arrived, settings, lake, runner, bar, exact, summarized))
                interruption.check()
    told_right.append(look_back(settings.file, lake, Slice("acme-payer", min(story.demo_months(today)))))
    interruption.check()
    told_right.append(push_and_read_back(settings, lake, exact))
    interruption.check()
    _ending(settings, lake, exact)
    return 0 if all(told_right) else EXIT_FAILED


def story_day(now: datetime) -> date:
    """The newest day on whose evening everything of its story has been delivered; ``now`` is UTC.

    The last delivery is of 18:36 that day, and Oracle's late rows of a month come on the 2nd of the next.
    """
    day = (now - timedelta(hours=19)).date()
    return day if day.day > 1 else day - timedelta(days=1)


def prepare(folder: Path, today: date) -> Settings:
    """An empty demo folder with its configuration; an earlier demo in it is taken away, anything else is left alone."""
    config = folder / CONFIG
    if folder.exists() and any(folder.iterdir()):
        if not config.is_file() or not config.read_text(encoding="utf-8").startswith(MARK):
            raise ConfigurationError(f"The folder {folder} holds something that is no demo.", "Choose another one with --dir.")
        for name in OWN:
            place = folder / name
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    months = story.demo_months(today)
    lines = [MARK, "lake:", f"  first_month: {min(months):%Y-%m}", "sources:"]
    for name, bill in story.demo_bills(today).items():
        lines += [f"  - name: {name}", "    kind: aws_cur", f"    location: {BILLS}/{bill.location}"]
    location = story.demo_oci_bill(today).location
    lines += [f"  - name: {story.OCI_SOURCE}", "    kind: oci_cost_reports", f"    location: {BILLS}/{location}"]
    lines += ["alerts:", "  lateness: # the story ends: its sources deliver nothing any more, and nobody waits for them"]
    lines += ["    sources:", *(f"      {name}: off" for name in (*story.demo_bills(today), story.OCI_SOURCE))]
    lines += [f"allocations: {ALLOCATIONS}"]
    (folder / ALLOCATIONS).write_text(_RULES, encoding="utf-8")
    config.write_text("\n".join(lines) + "\n" + PUSH, encoding="utf-8")
    return load_settings(config)


def _tell(
    number: int,
    step: story.Step,
    settings: Settings,
    lake: Lake,
    runner: InProcess,
    bar: LoadBar,
    exact: bool,
    summarized: bool,
) -> bool:
    """One step: what arrives, what the lakehouse makes of it; whether that is what it should.

    Summaries are built where ``summarized``; else a later step builds them.
    """
    say()
    console().rule(f"{number}. {step.sentence}", align="left")
    begun = datetime.now(UTC).replace(tzinfo=None)
    planned, errors = plan_all(settings, list(settings.sources), holdings(lake), None)
    loads = []
    for finding in planned:
        if is_due(finding, force=False) and finding.delivery is not None:
            loads.append(Loaded(finding, runner.load(finding.delivery, force=False)))
    print_loads(loads, exact)
    for error in errors:
        print_problem(error.problem, error.fix)
    right = not errors and all(candidate.outcome.ok is not step.refused for candidate in loads) and bool(loads)
    stale = stale_slices(lake) if summarized else []
    if stale:
        with working("Building and checking the summaries", bar.console):
            summary = runner.summarize([stale_slice.slice for stale_slice in stale], force=False)
        print_summary(summary, exact)
        print_corrections(lake, begun)
        right = right and summary.ok
    elif not summarized:
        say("Its summaries are built with the next deliveries.")
    if step.refused:
        say("It was refused, as it should be: the lake keeps the good delivery, and the receipt says what is wrong.")
    return right


def _ending(settings: Settings, lake: Lake, exact: bool) -> None:
    """What the lake holds in the end, and how to look further."""
    say()
    console().rule("The receipts: one for each load and month, refused ones too", align="left")
    rows = [
        (
            receipt.source,
            f"{receipt.billing_period:%Y-%m}",
            receipt.raw_table,
            receipt.delivery_id,
            receipt.state,
            receipt.files,
            f"{receipt.rows:,}",
            receipt.rejected,
            receipt.digest[:16],
        )
        for receipt in receipts(lake)
    ]
    columns = (
        Column("source"),
        Column("month"),
        Column("table", rank=1),
        Column("delivery", "id", 2),
        Column("state"),
        Column("files", "number", 4),
        Column("rows", "number"),
        Column("rejected values", "number", 3),
        Column("digest", "id", 5),
    )
    print_table(columns, rows, elsewhere="raw.receipts has them.")
    say()
    console().rule("What the lake holds now", align="left")
    show_status(settings.file, as_json=False, exact=exact)
    say()
    with connect(lake, ["marts.daily_costs"]) as connection:
        largest = connection.execute(LARGEST_SERVICES).fetchall()
    shown = [(*row[:4], amount_shown(Decimal(row[4]), exact)) for row in largest]
    texts = (Column("source"), Column("month"), Column("service"), Column("currency"))
    print_table((*texts, Column("billed cost", "number")), shown, "marts.daily_costs by service")
    say()
    say(
        "Look further, in the project's folder; the last lines open the costs at http://localhost:8080 and the UI at http://localhost:3000:"
    )
    for line in further(settings.file):
        say(f"  {line}")


def further(config: Path) -> list[str]:
    """Commands for a shell that look at the demo's lakehouse, and its UI."""
    file = shlex.quote(str(config))
    return [
        f"uv run cost-lakehouse query --config {file} {shlex.quote(EXAMPLE)}",
        f"uv run cost-lakehouse status --config {file}",
        f"uv run cost-lakehouse serve --config {file} --port 8080",
        f"COST_LAKEHOUSE_CONFIG={file} uv run dagster dev",
    ]
