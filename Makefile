# `make dev` is all it takes to try entgate; everything it needs is set up on the way. The work is done in scripts/.
.DEFAULT_GOAL := help
.PHONY: help dev build check test chaos bench deploy clean distclean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

dev: ## run entgate here, at http://localhost:8787 (another port: make dev PORT=8800)
	@scripts/dev.sh

build: ## build the Worker into build/
	@scripts/setup.sh build
	@scripts/build.sh

check: ## format, lints, docs and the sizes of the wasm files
	@scripts/setup.sh check
	@scripts/check.sh

test: ## `make check` and every test
	@scripts/test.sh

chaos: ## kill the Worker at random under load, and look for what was lost
	@scripts/setup.sh build
	@scripts/build.sh
	@node scripts/chaos.mjs

bench: ## what a request costs, beside other Workers, how that grows, and what the core costs
	@scripts/setup.sh build
	@scripts/build.sh
	@node benches/edge/run.mjs
	@node benches/edge/growth.mjs
	@node benches/core/instructions.mjs

deploy: ## put the Worker on Cloudflare
	@scripts/setup.sh build
	@if npx wrangler whoami | grep 'not authenticated'; then exit 1; fi
	npx wrangler deploy
	@npx wrangler secret list | grep -q ENTGATE_API_KEYS || echo 'No server key is set yet: npx wrangler secret put ENTGATE_API_KEYS'
	@npx wrangler secret list | grep -q STRIPE_WEBHOOK_SECRETS || echo 'No webhook secret is set yet: npx wrangler secret put STRIPE_WEBHOOK_SECRETS'
	@npx wrangler secret list | grep -q STRIPE_API_KEY || echo 'Lists are not read at Stripe yet: npx wrangler secret put STRIPE_API_KEY'

clean: ## remove what was built
	rm -rf target benches/core/target build www/npm/dist www/console/entgate.js .wrangler/tmp tests/package/run-*

distclean: clean ## remove the tools, and what `make dev` stored, too
	rm -rf .tools node_modules tests/package/node_modules .wrangler webdriver.json
