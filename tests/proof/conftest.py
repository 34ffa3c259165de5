"""What is proved in time needs summaries that are built: the one dbt of the run."""

from tests.summaries.conftest import dbt as dbt
