-- A day's costs of another lakehouse as one FOCUS row: its lines are there, and not here. It has no quantities.
{{ focus_row(ref('int_lakehouse__costs'), 'line', {'consumed_quantity': 'cast(null as decimal(38, 20))'}) }}
