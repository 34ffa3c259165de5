{#-
  A map as JSON text that tells different maps apart: cheap, for joining and grouping. Its key order is the engine's;
  map_to_json is the one for people.
-#}
{% macro map_to_text(map) -%}
    {{ return(adapter.dispatch('map_to_text', 'cost_lakehouse')(map)) }}
{%- endmacro %}

{% macro default__map_to_text(map) -%} json_format(cast({{ map }} as json)) {%- endmacro %}

{% macro duckdb__map_to_text(map) -%} cast(to_json({{ map }}) as varchar) {%- endmacro %}
