# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# `make help` says what can be made. V=1 shows the commands, SAN=1 builds the user side
# with the address and undefined-behaviour sanitizers into build/san; FUZZ=1 is of `make fuzz`.

PREFIX  ?= /usr/local
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/local/sbin/bpftool /usr/lib/linux-tools/*/bpftool \
	     /usr/sbin/bpftool) bpftool)
CFLAGS  ?= -O2 -g
ifeq ($(origin CC),default)
CC      := gcc
endif

O    := build$(if $(FUZZ),/fuzz,$(if $(SAN),/san))
ARCH := $(subst x86_64,x86,$(subst aarch64,arm64,$(shell uname -m)))

WARN     := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes
SANITIZE := $(if $(SAN)$(FUZZ),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all \
	      -fno-omit-frame-pointer)
ifdef FUZZ
CC       := $(CLANG)
SANITIZE += -fsanitize=fuzzer-no-link
endif
LIBS     := libbpf libelf libdw capstone libzstd zlib libcap
# evaluated once, and only when something is compiled: `make test` may install them first
LIB_CFLAGS = $(eval LIB_CFLAGS := $$(shell pkg-config --cflags $(LIBS)))$(LIB_CFLAGS)
LIB_LDLIBS = $(eval LIB_LDLIBS := $$(shell pkg-config --libs $(LIBS)))$(LIB_LDLIBS)

COMPILE = $(CC) -std=gnu11 $(WARN) -D_GNU_SOURCE -I. -Ibuild/bpf $(LIB_CFLAGS) $(SANITIZE) \
	  $(CPPFLAGS) $(CFLAGS) -pthread -MMD -MP
LINK    = $(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) -pthread
BPF_CC  = $(CLANG) -target bpf -mcpu=v3 -O2 -g -Wall -Werror -D__TARGET_ARCH_$(ARCH) \
	  -Ivmlinux/$(ARCH) -I. -MMD -MP

find = $(sort $(shell find $(1) -name '$(2)' 2>/dev/null))

BPF_OBJS  := $(patsubst %.c,build/%.o,$(wildcard bpf/*.bpf.c))
SKELETON  := $(if $(BPF_OBJS),build/bpf/gscope.skel.h)
LIB_OBJS  := $(patsubst %.c,$(O)/%.o,$(filter-out user/main.c,$(call find,user,*.c)))
MAIN_OBJ  := $(patsubst %.c,$(O)/%.o,$(wildcard user/main.c))
UNIT_OBJS := $(patsubst %.c,$(O)/%.o,$(filter-out %/prog/c/host.c,$(call find,tests/unit,*.c)))
PROGRAM   := $(if $(MAIN_OBJ),$(O)/gscope)
MAN       := $(wildcard docs/*.[1-9])
SOAK_OBJS := $(patsubst %.c,$(O)/%.o,$(wildcard tests/soak/*.c))
FUZZ_OBJS := $(patsubst %.c,$(O)/%.o,$(wildcard tests/fuzz/*.c) tests/unit/capture/records.c)
FUZZERS   := capture report rings elf buildinfo pclntab layout sites native globals
C_FILES   := $(call find,bpf user tests tools,*.[ch])

quiet = $(if $(V),,@printf '  %-8s %s\n' $(1) $(or $(2),$@);)

all: $(PROGRAM)

$(O)/gscope: $(MAIN_OBJ) $(O)/libgscope.a
	$(call quiet,LINK)$(LINK) -o $@ $^ $(LIB_LDLIBS)

$(O)/unit: $(UNIT_OBJS) $(O)/libgscope.a
	$(call quiet,LINK)$(LINK) -o $@ $^ $(LIB_LDLIBS) -lcunit

$(O)/soak: $(SOAK_OBJS) $(O)/libgscope.a
	$(call quiet,LINK)$(LINK) -o $@ $^ $(LIB_LDLIBS)

ifdef FUZZ
# damaged binaries are good ones with few changes, and nothing in them is to be guessed from what
# it is compared with: faster without
$(O)/user/target/%.o: SANITIZE += -fno-sanitize-coverage=trace-cmp

$(addprefix $(O)/,$(FUZZERS)): $(O)/%: $(O)/tests/fuzz/%.o $(O)/libgscope.a
	$(call quiet,LINK)$(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIB_LDLIBS)

$(addprefix $(O)/,$(filter-out capture report rings,$(FUZZERS))): $(O)/tests/fuzz/damage.o

$(O)/seeds: $(O)/tests/fuzz/seeds.o $(O)/tests/unit/capture/records.o $(O)/libgscope.a
	$(call quiet,LINK)$(LINK) -o $@ $^ $(LIB_LDLIBS)
endif

$(O)/libgscope.a: $(LIB_OBJS)
	$(call quiet,AR)rm -f $@ && ar rcs $@ $^

$(O)/%.o: %.c | $(SKELETON) build/.tools
	@mkdir -p $(@D)
	$(call quiet,CC)$(COMPILE) -c -o $@ $<

build/bpf/%.bpf.o: bpf/%.bpf.c | build/.tools
	@mkdir -p $(@D)
	$(call quiet,BPF)$(BPF_CC) -c -o $@ $<

build/bpf/gscope.bpf.o: $(BPF_OBJS)
	$(call quiet,BPFLINK)$(BPFTOOL) gen object $@ $^

build/bpf/gscope.skel.h: build/bpf/gscope.bpf.o
	$(call quiet,SKEL)$(BPFTOOL) gen skeleton $< name gscope_bpf >$@.new && mv $@.new $@

# one clear line when something to build with is missing, instead of a compiler's many
build/.tools: tools/setup
	@mkdir -p build && tools/setup --check build && touch $@

-include $(patsubst %.o,%.d,$(LIB_OBJS) $(MAIN_OBJ) $(UNIT_OBJS) $(SOAK_OBJS) $(FUZZ_OBJS) $(BPF_OBJS))

# Root gets what is missing installed, everybody else is told what it is.
setup:
	@tools/setup

toolchains: setup
	@tools/go-toolchains

services: toolchains
	@tools/services

JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

demo: setup
	@$(MAKE) --no-print-directory $(JOBS) all
	@tools/demo

# what is fetched and what is compiled do not need each other
test: setup
	@$(MAKE) --no-print-directory $(JOBS) services $(PROGRAM) $(O)/unit $(O)/soak
	@$(O)/unit
	@$(if $(wildcard tests/e2e/run),GSCOPE=$(CURDIR)/$(O)/gscope tests/e2e/run)

check: check-format check-c check-shell check-man

check-format: setup
	@printf '  %-8s %s\n' FORMAT '$(sort $(foreach f,$(C_FILES),$(firstword $(subst /, ,$f))))'
	@$(if $(C_FILES),clang-format --dry-run -Werror $(C_FILES))

check-c: setup
	@printf '  %-8s %s\n' CPPCHECK user
	@$(if $(LIB_OBJS),cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
		--enable=warning --enable=performance --enable=portability \
		--suppress=missingIncludeSystem --include=tools/cppcheck.h -j $(shell nproc) -I. user)

check-shell: setup
	@printf '  %-8s %s\n' SHELL '.ci tests tools'
	@shellcheck -x $$(grep -rlIE '^#!/bin/(ba)?sh|^# shellcheck shell' .ci tests tools)

check-man: setup
	@$(if $(MAN),printf '  %-8s %s\n' MAN '$(MAN)'; mandoc -T lint -W warning $(MAN))

fuzz: toolchains
	@$(MAKE) --no-print-directory $(JOBS) FUZZ=1 $(addprefix build/fuzz/,seeds $(FUZZERS))
	@tests/fuzz/run $(FUZZERS)

soak: toolchains
	@$(MAKE) --no-print-directory $(JOBS) all $(O)/soak
	@SOAK_SEEDS=$(or $(SOAK_SEEDS),2000) SOAK_CYCLES=$(or $(SOAK_CYCLES),1000) SOAK_WINDOWS=200 \
		GSCOPE=$(CURDIR)/$(O)/gscope tests/e2e/run -k soak
	@cat build/e2e/soak/accepted build/e2e/soak/settled
	@grep -h 'whole ones' build/e2e/inline-soak-*/log

bench: toolchains
	@$(MAKE) --no-print-directory $(JOBS) all
	@tools/bench/run $(or $(BENCH),--write)

compat: services
	@$(MAKE) --no-print-directory $(JOBS) all
	@tests/e2e/run --write

accuracy: toolchains
	@$(MAKE) --no-print-directory $(JOBS) all
	@tests/accuracy/run --write
	@tests/accuracy/run -i --write

minutes: toolchains
	@$(MAKE) --no-print-directory $(JOBS) all
	@tests/e2e/run -k minutes
	@grep '^[0-9]* minutes' build/e2e/minutes/log

vm: toolchains
	@$(MAKE) --no-print-directory $(JOBS) all
	@tests/vm/run

install: all
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin build/gscope
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/gscope LICENSE LICENSES/*
	$(foreach page,$(MAN),install -D -m 644 -t \
		$(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(page))) $(page) &&) :

# the Go toolchains and services stay: they take long to fetch
clean:
	@if [ -d build ]; then \
		find build -mindepth 1 -maxdepth 1 ! -name go ! -name services -exec rm -rf {} +; \
	fi

help:
	@echo 'make           build/gscope'
	@echo 'make demo      trace a small server that works, and show what comes out (root)'
	@echo 'make test      unit and end-to-end tests (root)'
	@echo 'make check     formatting, static analysis, shell scripts, man pages'
	@echo 'make fuzz      what reads captures, rings and binaries; FUZZ_SECONDS=60 for each, FUZZERS=elf...'
	@echo 'make soak      damage recordings in thousands of ways; SOAK_SEEDS=2000 for each; redirect calls'
	@echo '               SOAK_CYCLES=1000 times, of every release and build (root)'
	@echo 'make bench     measure the overhead: docs/overhead.md; BENCH=http: only some of it (root)'
	@echo 'make compat    every Go release in every build, Debian'\''s services: docs/compatibility.md (root)'
	@echo 'make accuracy  compare with what programs trace of themselves: docs/accuracy*.md (root)'
	@echo 'make minutes   trace for ten minutes, in bounded memory; MINUTES=10 (root)'
	@echo 'make vm        test on other kernels, in QEMU (root)'
	@echo 'make install   to PREFIX=$(PREFIX), below DESTDIR'
	@echo 'make clean     remove what was built, except build/go and build/services'
	@echo
	@echo 'Run by root, all but make, install and clean first install missing packages (tools/setup).'
	@echo 'SAN=1: with sanitizers, into build/san. V=1: show the commands.'

.PHONY: all setup toolchains services demo test check check-format check-c check-shell check-man \
	fuzz soak bench compat accuracy minutes vm install clean help
.DELETE_ON_ERROR:
.SECONDARY:
