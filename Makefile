# What a developer runs; `make` alone lists it. `.ci/run` does all of it on a clean clone.
TESTS ?= tests
DIR ?= demo

.DEFAULT_GOAL := help
.PHONY: help sync format check test demo ui docs ci clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 10

sync: ## install everything that is pinned
	uv sync

format: ## format code, and correct what can be corrected by itself
	uv run ruff format .
	uv run ruff check --fix .

check: ## format, lint, types, import rules: a minute
	uv run ruff format --check .
	uv run ruff check .
	uv run mypy
	uv run lint-imports

test: ## run tests: all of them, or TESTS=tests/formats
	uv run pytest $(TESTS)

demo: ## sample bills through the whole pipeline, in DIR
	uv run cost-lakehouse demo --dir $(DIR)

ui: ## Dagster's UI on the lakehouse in DIR
	COST_LAKEHOUSE_CONFIG=$(DIR)/lakehouse.yaml uv run dagster dev

docs: ## bring the data dictionary up to date
	uv run python docs/make_data_dictionary.py

ci: ## everything that a change has to pass
	.ci/run

clean: ## remove what tools leave behind; no lake, no demo
	rm -rf .mypy_cache .pytest_cache .ruff_cache dbt_project/target dbt_project/logs
