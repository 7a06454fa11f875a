# Targets for development. Each target installs the tools that it needs: `make dev` works after a clone. The scripts are in scripts/.
.DEFAULT_GOAL := help
.PHONY: help dev build quick check test test-docs chaos bench deploy clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

dev: ## run entgate at http://localhost:8787 (another port: make dev PORT=8800)
	@scripts/dev.sh

build: ## build the Worker into build/
	@scripts/setup.sh build
	@scripts/build.sh

quick: ## check format and lints, and run the native tests
	@scripts/setup.sh check
	@scripts/check.sh quick
	@. scripts/env.sh && cargo test --quiet

check: ## check format, lints, types, docs and the sizes of the wasm files
	@scripts/setup.sh check
	@scripts/check.sh

test: ## run `make check` and every test but those of `make test-docs`
	@scripts/test.sh

test-docs: ## run the commands and the examples of the documentation
	@scripts/test.sh docs

chaos: ## kill the Worker at random times under load, then look for lost events
	@scripts/setup.sh build
	@scripts/build.sh
	@node scripts/chaos.mjs

bench: ## measure the cost of a request, how it grows, and the cost of the core
	@scripts/setup.sh build
	@scripts/build.sh
	@node benches/edge/run.mjs
	@node benches/edge/growth.mjs
	@node benches/core/instructions.mjs

deploy: ## deploy the Worker to Cloudflare
	@scripts/setup.sh build
	@if npx wrangler whoami | grep 'not authenticated'; then exit 1; fi
	npx wrangler deploy
	@npx wrangler secret list | grep -q ENTGATE_API_KEYS || echo 'ENTGATE_API_KEYS is not set. Run: npx wrangler secret put ENTGATE_API_KEYS'
	@npx wrangler secret list | grep -q STRIPE_WEBHOOK_SECRETS || echo 'STRIPE_WEBHOOK_SECRETS is not set. Run: npx wrangler secret put STRIPE_WEBHOOK_SECRETS'
	@npx wrangler secret list | grep -q STRIPE_API_KEY || echo 'STRIPE_API_KEY is not set, so entgate does not read lists from Stripe. Run: npx wrangler secret put STRIPE_API_KEY'

clean: ## remove build output
	rm -rf target benches/core/target build www/npm/dist www/console/entgate.js .wrangler/tmp tests/package/run-*

distclean: clean ## also remove the installed tools and the stored data of `make dev`
	rm -rf .tools node_modules tests/package/node_modules .wrangler webdriver.json
