# The two commands of the README are `make demo` and `make test`; each installs what is missing first.
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
.PHONY: help setup build demo test check generate format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install the tools and packages that are missing
	@./scripts/install-tools.sh

build: setup ## bundle the programs into dist/
	@node build.mjs

demo: ## a fleet of five hosts: a good image, a better one, a broken one
	@./scripts/install-tools.sh demo
	@node build.mjs
	@node dist/bootfleet.mjs dev demo

test: setup ## every test, with coverage
	@vitest run --coverage

check: setup ## types, lint, format, boundaries, dead code, generated code
	@./scripts/check.sh

generate: setup ## TypeScript from proto/, JSON Schema from the zod schemas
	@buf generate
	@tsx scripts/generate-schema.ts

format: setup ## rewrite sources in the one format
	@prettier --log-level warn --write .

clean: ## remove what was built
	rm -rf dist coverage .cache/tsc
