# make demo    the whole story on this machine, without an AWS account or a cluster (KEEP=1 leaves it up)
# make test    every test
# make fuzz    mutated files through every command that reads one, and against kubectl (CASES=20000)
# make check-engines    what pods are given to serve a model, read and run by the engines' own releases
# make lint    formatting, clippy, generated files
# make bench   figures, printed and not asserted; those of 1 to 500 platforms (COUNTS="1 10") go to docs/performance.md
# make release the program as it is installed, small
# make image   the image as an OCI layout, by buildah (IMAGE=FOLDER says where to)
# make sbom    what the binary is made of, in CycloneDX, by cargo-cyclonedx
# make generate    the files that are made from the code
# Everything that is built or installed goes into caches outside this folder.

SHELL := /bin/bash
comma := ,
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export AIPLATFORM_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/aiplatform
export CARGO_TARGET_DIR ?= $(AIPLATFORM_CACHE)/target
export CARGO_INCREMENTAL ?= 0
export PYTHONDONTWRITEBYTECODE := 1

BINARY := $(CARGO_TARGET_DIR)/debug/aiplatform
RELEASE := $(CARGO_TARGET_DIR)/release/aiplatform
# What makes a release small: little is inlined; where Rust brings its own linker, functions that are equal to the byte
# become one; and a C library from 2.36 on reads relocations that are packed.
SMALL := -C llvm-args=-inline-threshold=5 \
	$(if $(filter x86_64,$(shell uname -m)),-C link-arg=-Wl$(comma)--icf=all) \
	$(shell getconf GNU_LIBC_VERSION 2>/dev/null | awk '{split($$2, v, "."); exit !(v[1] > 2 || v[2] >= 36)}' \
	&& echo -C link-arg=-Wl,-z,pack-relative-relocs)
# Crates are named by their versions alone, and not by where this machine keeps them.
NAMELESS = $$(printf -- '--remap-path-prefix=%s=crates ' "$${CARGO_HOME:-$$HOME/.cargo}"/registry/src/*)
# The Python that has boto3, pytest and ruff; made by the simulator at its first use.
PYTHON = $$(python3 tests/aws/serve.py --venv)
RUFF = $(PYTHON) -m ruff
# Those that have a client of OpenAI's API, and the engines' own releases.
CLIENT_PYTHON = $$(python3 tests/aws/serve.py --venv --requirements tests/engines/requirements.txt)
ENGINES_PYTHON = $$(python3 tests/aws/serve.py --venv --requirements tests/engines/oracles/requirements.txt)
PYTHON_FILES := tests demo bench image schemas
# The longest first; each one's output as a whole where make can do that.
SUITES := test-installation test-aws test-policies test-cluster test-engines
WHOLE := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
# Of a large machine a part: a container may have fewer than it sees.
PROCESSORS := $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 8 ? n : 8)))
# The one version, which the chart, the manifests and the image follow.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
IMAGE ?= $(AIPLATFORM_CACHE)/image
SBOM ?= $(AIPLATFORM_CACHE)/sbom.json
SCHEMA := schemas/aiplatform.dev_v1alpha1_AIPlatform.json

.PHONY: help demo test $(SUITES) fuzz check-engines lint bench image sbom generate build release servers programs

help:
	@sed -n 's/^# make /make /p' Makefile

build:
	cargo build --locked

release:
	cargo fetch --locked
	RUSTFLAGS="$${RUSTFLAGS:-} $(NAMELESS)" cargo rustc --locked --release --bin aiplatform -- $(SMALL)

# The Kubernetes control plane and the AWS simulator, built before anything with a deadline needs them.
servers:
	@python3 tests/cluster/control_plane.py build --all >/dev/null
	@python3 tests/aws/serve.py --venv >/dev/null

# What people install with, and what reads the status of an object: built for tests/installation.
programs:
	@python3 tests/installation/programs.py >/dev/null

demo: build servers
	@$(PYTHON) demo/demo.py --binary $(BINARY) $(if $(KEEP),--keep)

# Tests wait for servers half of their time.
test: export RUST_TEST_THREADS ?= $(shell echo $$((3 * $(PROCESSORS))))
test: servers programs
	@python3 tests/policies/evaluator.py >/dev/null
	cargo test --locked --workspace
	@$(MAKE) --no-print-directory --keep-going --jobs $(PROCESSORS) $(WHOLE) $(SUITES)

$(SUITES): build servers
test-installation: programs
test-installation test-policies test-aws test-cluster:
	AIPLATFORM_BINARY=$(BINARY) $(PYTHON) -m pytest -q -p no:cacheprovider $(@:test-%=tests/%)

test-engines:
	$(CLIENT_PYTHON) -m pytest -q -p no:cacheprovider tests/engines --ignore tests/engines/oracles

# Another seed each time; what is found is printed, and becomes a test.
fuzz: servers
	AIPLATFORM_FUZZ=$(or $(CASES),20000) AIPLATFORM_FUZZ_SEED=$$RANDOM$$RANDOM cargo test --locked -p aiplatform-core -- no_bytes no_object mutated_texts

# The containers are those that the tests of the code keep.
check-engines:
	cargo test --locked -p aiplatform-core engine::
	$(ENGINES_PYTHON) -m pytest -q -p no:cacheprovider tests/engines/oracles

lint: servers
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo run --locked --quiet -- crd | diff -u crds/aiplatform.yaml - || { echo "crds/aiplatform.yaml is not what the code makes: run make generate" >&2; exit 1; }
	cargo test --locked --quiet -p aiplatform-core field_reference >/dev/null || { echo "docs/fields.md is not what the code makes: run make generate" >&2; exit 1; }
	$(RUFF) format --no-cache --check --config tests/aws/ruff.toml $(PYTHON_FILES)
	$(RUFF) check --no-cache --config tests/aws/ruff.toml $(PYTHON_FILES)
	$(PYTHON) schemas/generate.py | diff -u $(SCHEMA) - || { echo "$(SCHEMA) is not what the definition makes: run make generate" >&2; exit 1; }
	test -z "$$(gofmt -l tests/cluster tests/installation)"
	cd tests/cluster && GOFLAGS=-mod=mod go mod verify >/dev/null
	cd tests/installation && GOFLAGS=-mod=mod go mod verify >/dev/null && go vet ./verdict ./validate
	if command -v cargo-deny >/dev/null; then cargo deny --locked check licenses bans sources; else echo "cargo-deny is not installed: licences, bans and sources are not checked" >&2; fi

bench: release servers
	@$(PYTHON) bench/bench.py --binary $(RELEASE)
	@$(PYTHON) bench/performance.py --binary $(RELEASE) $(if $(COUNTS),--counts $(COUNTS))

image: release
	@python3 image/build.py $(RELEASE) $(IMAGE) --version $(VERSION) --revision "$$(git rev-parse HEAD)"

sbom:
	@python3 image/sbom.py $(SBOM)

generate: build
	$(BINARY) crd > crds/aiplatform.yaml
	AIPLATFORM_GENERATE=1 cargo test --locked --quiet -p aiplatform-core field_reference >/dev/null
	$(PYTHON) schemas/generate.py > $(SCHEMA)
	cp crds/aiplatform.yaml charts/aiplatform/files/crd.yaml
	cp manifests/rbac.yaml manifests/rbac-namespaced.yaml charts/aiplatform/files/
	cp manifests/rbac-namespaced.yaml manifests/overlays/namespaced/rbac.yaml
	cp manifests/components/monitoring/prometheus-rule.yaml manifests/components/monitoring/dashboard.json charts/aiplatform/files/
	sed -i 's/^\(version\|appVersion\): .*/\1: $(VERSION)/' charts/aiplatform/Chart.yaml
	sed -i 's/^\(    app.kubernetes.io\/version\|  newTag\): .*/\1: $(VERSION)/' manifests/kustomization.yaml manifests/overlays/namespaced/kustomization.yaml examples/installation/shards/shard-1/kustomization.yaml
	cargo fmt
	$(RUFF) format --no-cache --config tests/aws/ruff.toml $(PYTHON_FILES)
