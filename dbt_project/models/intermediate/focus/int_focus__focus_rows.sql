-- Rows that came as FOCUS: what the provider says stays. An amount without a unit is none, as a cost without an amount is 0.
{{ focus_row(ref('int_focus__costs'), 'line', {
    'consumed_quantity': "case when consumed_unit is not null or consumed_quantity <> 0 then consumed_quantity end",
}) }}
