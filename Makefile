# Targets for development. Each target installs the tools that it needs: `make dev` works after a clone. The scripts are in scripts/.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help dev build packages self-host quick check test test-docs test-clients fuzz chaos bench scale deploy release-check clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

dev: ## run entgate at http://localhost:8787 (another port: make dev PORT=8800)
	@scripts/dev.sh

build: ## build the Worker into build/
	@scripts/setup.sh build
	@scripts/build.sh

packages: ## build the npm packages into dist/
	@scripts/setup.sh build
	@scripts/packages.sh

self-host: ## run the Worker on workerd, with its storage in self-host/ (settings: self-host.env)
	@scripts/self-host.sh

quick: ## check format and lints, and run the native tests
	@scripts/setup.sh check
	@scripts/check.sh quick
	@. scripts/env.sh && cargo test -- --quiet

check: ## check format, lints, types, docs and the sizes of the wasm files
	@scripts/setup.sh check
	@scripts/check.sh

test: ## run `make check` and every test but those of `make test-docs` and `make test-clients`
	@scripts/test.sh

test-docs: ## run the commands and the examples of the documentation
	@scripts/test.sh docs

test-clients: ## run published clients of Stripe against the catalog
	@scripts/test.sh clients

fuzz: ## fuzz each parser for a minute (make fuzz SECONDS=600; only some: make fuzz TARGETS='form token')
	@scripts/setup.sh check
	@scripts/fuzz.sh $(or $(SECONDS),60) $(TARGETS)

chaos: ## kill the Worker at random times under load, then look for lost events
	@scripts/setup.sh build
	@scripts/build.sh
	@. scripts/env.sh && node scripts/chaos.mjs && node scripts/chaos/lost-webhooks.mjs

bench: ## measure the cost of a request, how it grows, and the cost of the core
	@scripts/setup.sh build
	@scripts/build.sh
	@. scripts/env.sh && node benches/edge/run.mjs && node benches/edge/growth.mjs && node benches/core/instructions.mjs

scale: ## simulate up to 100 million customers, and write the tables of docs/scale.md
	@scripts/setup.sh check
	@. scripts/env.sh && cargo run --quiet --release --manifest-path benches/scale/Cargo.toml

deploy: ## deploy the Worker to Cloudflare
	@scripts/deploy.sh

release-check: ## do everything that a release does, except to publish
	@scripts/setup.sh check
	@scripts/release-check.sh

clean: ## remove build output
	rm -rf target benches/core/target benches/scale/target fuzz/target build dist www/npm/dist www/console/entgate.js .wrangler/tmp tests/package/run-*

distclean: clean ## also remove the installed tools and the stored data of `make dev`
	rm -rf .tools node_modules tests/package/node_modules tests/clients/node_modules examples/node_modules .wrangler webdriver.json
