{#-
  A tag or cost category key in AWS's snake form, as AWS writes it in Parquet and CUR 2.0 (user:CostCenter -> user_cost_center):
  `_` before each upper-case letter, lower case, everything but letters and digits `_`, repeated `_` once, none at the ends.
  Letters and digits of every script are kept, so that keys of one script do not all become one.
-#}
{% macro snake_case(text) -%}
    {%- set split = regexp_replace_all(text, '(\\p{Lu})', '_{1}') -%}
    {%- set plain = regexp_replace_all('lower(' ~ split ~ ')', '[^\\p{L}\\p{N}]+', '_') -%}
    {{ regexp_replace_all(plain, '^_|_$', '') }}
{%- endmacro %}
