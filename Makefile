# Antipaxos. `make` lists what there is.

TIME  ?= 120
SEEDS ?= 10000
CARGO ?= cargo
NODE_MUTANTS := target-mutants/release/paxos-node

.DEFAULT_GOAL := help
.PHONY: help build mutants-build test test-browser test-chaos mutants sim sim-mutants bench-checker \
  bench bench-etcd test-etcd bench-checker-files bench-checker-headline fuzz-checker lint fmt clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the harness and the node (release)
	$(CARGO) build --release --workspace --bins

mutants-build: ## build the node with its planted bugs, into a target folder of its own
	$(CARGO) build --release -p paxos-node --features mutants --target-dir target-mutants

test: ## run all tests
	$(CARGO) test --workspace

test-browser: ## open the checker's timelines in headless Chromium; fails where there is none
	$(CARGO) test -p checker --test browser

test-chaos: build mutants-build ## batter real clusters for TIME seconds (120), then prove that a planted bug is caught
	@target/release/antipaxos test-all --time $(TIME) --mutant-bin $(NODE_MUTANTS) $(if $(SEED),--seed $(SEED))

mutants: ## run the bench against every planted bug, in both worlds; goes on where it ended. ONLY, JOBS, SEED
	$(CARGO) build --release -p paxos-node -p harness --features paxos-node/mutants,harness/mutants \
	  --target-dir target-mutants
	@target-mutants/release/antipaxos mutants --mutant-bin $(NODE_MUTANTS) $(if $(ONLY),--only $(ONLY)) \
	  $(if $(JOBS),--jobs $(JOBS)) $(if $(SEED),--seed $(SEED))

sim: ## simulate clusters in virtual time, SEEDS of them (10000)
	$(CARGO) run --release -p paxos-node --bin paxos-sim -- --seeds 0..$(SEEDS)

sim-mutants: ## the simulation must kill every planted bug, and the corpus those that it names
	$(CARGO) test -p paxos-node --features mutants --target-dir target-mutants
	$(CARGO) test -p harness --features mutants --target-dir target-mutants --test it corpus::

BENCH_FLAGS = $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(NODES),--nodes $(NODES)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
  $(if $(JSON),--json $(JSON)) $(FLAGS)

bench: build ## how fast the node is, and what that costs; CLIENTS, NODES, ROUNDS, JSON=file, FLAGS="--reads 1"
	@target/release/antipaxos bench $(BENCH_FLAGS)

bench-etcd: ROUNDS ?= 5
bench-etcd: ## the same in rounds that alternate with etcd's, with ratios; skipped where there is no etcd
	$(CARGO) build --release -p paxos-node -p harness --features harness/etcd
	@target/release/antipaxos bench --vs etcd $(BENCH_FLAGS)

test-etcd: ## write to and read from an etcd through the bench's client, and two rounds; fails where there is none
	$(CARGO) test -p harness --features etcd --test etcd

bench-checker: ## time and memory of the checker by class of history; QUICK=1 for a tenth, ONLY=text for some
	$(CARGO) bench -p checker --bench speed -- $(if $(QUICK),--quick) $(if $(ONLY),--only "$(ONLY)")

bench-checker-files: ## time of the checker on recorded histories: CHECKER_HISTORIES is their folder
	$(CARGO) bench -p checker --bench speed -- $(if $(ONLY),--only "$(ONLY)") --files

bench-checker-headline: ## how many clients and unknown outcomes the checker decides in 10 s and 1 GB
	$(CARGO) bench -p checker --bench speed -- --headline $(if $(QUICK),--quick)

fuzz-checker: ## fuzz the checker against an oracle and its engines against each other, TIME seconds; SEED, TARGET
	$(if $(filter-out 0,$(TIME)),CHECKER_FUZZ_SECONDS=$(shell expr $(TIME) / 2)) \
	CHECKER_FUZZ_SEED=$(SEED) CHECKER_FUZZ_TARGET=$(TARGET) \
	$(CARGO) test --release --no-fail-fast -p checker --lib --test it -- --exact fuzz::fuzz --nocapture

lint: ## formatting and clippy, warnings refused
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy -p harness --all-targets --features etcd -- -D warnings
	$(CARGO) clippy -p paxos-node --all-targets --features mutants --target-dir target-mutants -- -D warnings

fmt: ## format the sources
	$(CARGO) fmt --all

clean: ## remove build output; runs in results/ stay
	rm -rf target target-mutants
