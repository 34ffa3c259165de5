-- Every line of every kind of bill, as its provider's model says it in FOCUS's columns. From here on no provider is known.
{%- for kind in bill_kinds() %}
select
    {%- for column in cost_columns() %}
    {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref('int_' ~ kind ~ '__costs') }}
{{ 'union all' if not loop.last }}
{%- endfor %}
