-- Every day, as MetricFlow wants it.
select cast(date_day as date) as date_day
from (
    {{ dbt.date_spine('day', "cast('2015-01-01' as date)", "cast('2040-01-01' as date)") }}
) as days
