# The two commands of the README are `make demo` and `make test`; each installs what is missing first.
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
.PHONY: help setup build agent-image deb demo test coverage test-web test-host test-adopt test-mutation test-fuzz fuzz test-simulation soak test-powercut test-powercut-full test-vm test-vm-full bench-host bench-engine bench-trust bench-dashboard bench-start bench-status bench check generate format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

setup: ## install the tools and packages that are missing
	@./scripts/install-tools.sh

build: setup ## bundle the programs into dist/
	@node build.mjs

agent-image: build ## an image with only a host's programs, for `COPY --from` in a Containerfile
	@./scripts/agent-image.sh

deb: build ## the same as a Debian package
	@./scripts/deb.sh

demo: ## a fleet of five hosts: a good image, a better one, a broken one
	@./scripts/install-tools.sh demo
	@node build.mjs
	@node dist/bootfleet.mjs dev demo

test: setup ## unit, host, integration and end-to-end tests, with coverage
	@vitest run --coverage --project unit --project host --project integration --project e2e

coverage: setup ## the pure folders' own tests, and each branch there that none of them takes
	@vitest run --coverage --project unit controller/rollout controller/desired-state cli/simulator agent/update || true
	@node scripts/uncovered.mjs

test-web: ## the web page in Chromium, which is installed if it is missing; WEB_PICTURES=DIR keeps what it looks like
	@./scripts/install-tools.sh web
	@vitest run --project web

test-host: setup ## container-snap on real btrfs file systems
	@vitest run --project host

test-adopt: setup ## `bootfleet-agent adopt` on disks laid out as distributions do it
	@vitest run --project unit --project adopt agent/adopt

test-mutation: setup ## take each check of what hosts accept away, and see that a test misses it
	@node scripts/mutate-accept.mjs

test-fuzz: setup ## every parser of what others wrote, with 20,000 hostile inputs each; SEED=N for others
	@vitest run --project fuzz

fuzz: setup ## ten times as many, and others each time; SEED=N replays
	@FUZZ_INPUTS=200000 SEED="$${SEED:-$$RANDOM}" vitest run --project fuzz

test-simulation: setup ## two thousand fleets on a virtual clock, whatever goes wrong; SEED=N replays one
	@vitest run --project simulation

soak: setup ## larger ones until stopped
	@tsx test/simulation/soak.ts

test-powercut: setup ## an update, cut at every step and at 300 moments by chance
	@vitest run --project powercut

test-powercut-full: setup ## the same at 1,000 moments, and on a disk that reorders what was not flushed
	@POWERCUTS=1000 vitest run --project powercut --project powercut-full

test-vm: setup ## real machines in QEMU: upgrades and broken images, with systemd-boot and GRUB
	@vitest run --project vm

test-vm-full: setup ## the same, every other broken image, and power cuts
	@vitest run --project vm --project vm-full

bench-engine: build ## what planning and one event cost in fleets of up to a million hosts
	@tsx test/bench/engine.ts

bench-trust: build ## plans signed and verified beside bare node:crypto, reports over mutual TLS, enrolments
	@tsx test/bench/trust.ts

bench-dashboard: setup ## messages that the dashboard takes, beside decoding them
	@tsx test/bench/dashboard.ts

bench-start: build ## what the command line takes to start, beside node itself (at most 2 times that)
	@tsx test/bench/start.ts

bench-status: build ## `bootfleet status` of 10,000 hosts, beside one bare call (at most 3 times that)
	@tsx test/bench/status.ts

bench-host: build ## what a host's steps cost, beside what one would run by hand
	@tsx test/bench/host.ts

bench: bench-start bench-status bench-dashboard bench-trust bench-engine bench-host ## all of them

check: setup ## types, lint, format, boundaries, dead code, generated code
	@./scripts/check.sh

generate: setup ## TypeScript from proto/, JSON Schema from the zod schemas, CLI reference from the program
	@buf generate
	@tsx scripts/generate-schema.ts
	@tsx scripts/generate-cli-reference.ts
	@prettier --log-level warn --write schema

format: setup ## rewrite sources in the one format
	@prettier --log-level warn --write .

clean: ## remove what was built
	rm -rf dist coverage .cache/tsc
