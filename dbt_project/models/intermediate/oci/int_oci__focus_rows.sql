-- OCI's rows as FOCUS 1.2 counts them: one each.
{{ focus_row(ref('int_oci__costs'), 'line', {
    'consumed_unit': focus_unit("coalesce(consumed_unit, 'Units')"),
    'pricing_unit': focus_unit('pricing_unit'),
}) }}
