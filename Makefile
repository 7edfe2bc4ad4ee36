# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# `make help` says what can be made. V=1 shows the commands, O=DIR builds in another folder, SAN=1
# builds the user side with the address and undefined-behaviour sanitizers into build/san; FUZZ=1
# is of `make fuzz`.

PREFIX  ?= /usr/local
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/local/sbin/bpftool /usr/lib/linux-tools/*/bpftool \
	     /usr/sbin/bpftool) bpftool)
CFLAGS  ?= -O2 -g
ifeq ($(origin CC),default)
CC      := gcc
endif

O    := build
ARCH := $(subst x86_64,x86,$(subst aarch64,arm64,$(shell uname -m)))
# of the variant; the BPF programs are the same in all
B    := $(O)$(if $(FUZZ),/fuzz,$(if $(SAN),/san))
# of the BPF programs; another one to build them by another CLANG, too
BPF_DIR ?= $(O)/bpf
# BPF programs that are compiled already, for which neither clang nor bpftool is needed: the
# archive of `make dist` has them. BPF_OBJECT= (none) compiles them.
BPF_OBJECT := $(wildcard bpf/$(ARCH)/gscope.bpf.o)

ifneq ($(words $(O)),1)
$(error O= names one folder, and no spaces are in its name: make cannot do that)
endif
ifneq ($(word 2,$(BPF_OBJECT)),)
$(error BPF_OBJECT= names one file, and no spaces are in its name: make cannot do that)
endif
# tests and tools have toolchains and results in build/, by that name
KEPT := demo test e2e fuzz soak bench compat accuracy minutes vm distros toolchains services clean
ifneq ($(filter-out build,$(O)),)
ifneq ($(filter $(KEPT),$(MAKECMDGOALS)),)
$(error make $(firstword $(filter $(KEPT),$(MAKECMDGOALS))) works in build/ only, not in O=$(O))
endif
endif

WARN     := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes
SANITIZE := $(if $(SAN)$(FUZZ),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all \
	      -fno-omit-frame-pointer)
ifdef FUZZ
CC       := $(CLANG)
SANITIZE += -fsanitize=fuzzer-no-link
endif
LIBS     := libbpf libelf libdw capstone libzstd zlib libcap libseccomp
# evaluated once, and only when something is compiled: `make test` may install them first
LIB_CFLAGS = $(eval LIB_CFLAGS := $$(shell pkg-config --cflags $(LIBS)))$(LIB_CFLAGS)
LIB_LDLIBS = $(eval LIB_LDLIBS := $$(shell pkg-config --libs $(LIBS)))$(LIB_LDLIBS)

COMPILE = $(CC) -std=gnu11 $(WARN) -D_GNU_SOURCE -I. -I$(BPF_DIR) $(LIB_CFLAGS) $(SANITIZE) \
	  $(CPPFLAGS) $(CFLAGS) -pthread -MMD -MP
LINK    = $(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) -Wl,--build-id -pthread
# macros of libbpf 1.4 have variables that clang 21 and later warn of
BPF_CC  = $(CLANG) -target bpf -mcpu=v3 -O2 -g -Wall -Werror -Wno-unknown-warning-option \
	  -Wno-default-const-init-var-unsafe -D__TARGET_ARCH_$(ARCH) \
	  -Ivmlinux/$(ARCH) -I. -MMD -MP

find = $(sort $(shell find $(1) -name '$(2)' 2>/dev/null))

BPF_OBJS  := $(patsubst bpf/%.c,$(BPF_DIR)/%.o,$(wildcard bpf/*.bpf.c))
SKELETON  := $(if $(BPF_OBJS),$(BPF_DIR)/gscope.skel.h)
LIB_OBJS  := $(patsubst %.c,$(B)/%.o,$(filter-out user/main.c,$(call find,user,*.c)))
MAIN_OBJ  := $(patsubst %.c,$(B)/%.o,$(wildcard user/main.c))
UNIT_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out %/prog/c/host.c,$(call find,tests/unit,*.c)))
PROGRAM   := $(if $(MAIN_OBJ),$(B)/gscope)
BPF_SOURCES := $(wildcard bpf/*.[ch]) $(wildcard vmlinux/$(ARCH)/*.h)
MAN       := $(wildcard docs/*.[1-9])
SOAK_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/soak/*.c))
FUZZ_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/fuzz/*.c) tests/unit/capture/records.c)
FUZZERS   := capture report rings elf buildinfo pclntab layout sites native globals
C_FILES   := $(call find,bpf user tests tools,*.[ch])

quiet = $(if $(V),,@printf '  %-8s %s\n' $(1) $(or $(2),$@);)

all: $(PROGRAM)

$(B)/gscope: $(MAIN_OBJ) $(B)/libgscope.a
	$(call quiet,LINK)$(LINK) -o $@ $^ $(LIB_LDLIBS)

$(B)/unit: $(UNIT_OBJS) $(B)/libgscope.a
	$(call quiet,LINK)$(LINK) -o $@ $^ $(LIB_LDLIBS) -lcunit

$(B)/soak: $(SOAK_OBJS) $(B)/libgscope.a
	$(call quiet,LINK)$(LINK) -o $@ $^ $(LIB_LDLIBS)

ifdef FUZZ
# damaged binaries are good ones with few changes, and nothing in them is to be guessed from what
# it is compared with: faster without
$(B)/user/target/%.o: SANITIZE += -fno-sanitize-coverage=trace-cmp

$(addprefix $(B)/,$(FUZZERS)): $(B)/%: $(B)/tests/fuzz/%.o $(B)/libgscope.a
	$(call quiet,LINK)$(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIB_LDLIBS)

$(addprefix $(B)/,$(filter-out capture report rings,$(FUZZERS))): $(B)/tests/fuzz/damage.o

$(B)/seeds: $(B)/tests/fuzz/seeds.o $(B)/tests/unit/capture/records.o $(B)/libgscope.a
	$(call quiet,LINK)$(LINK) -o $@ $^ $(LIB_LDLIBS)
endif

$(B)/libgscope.a: $(LIB_OBJS)
	$(call quiet,AR)rm -f $@ && ar rcs $@ $^

# the version, and where the BPF programs are from; compiled again when that changes
$(B)/user/base/version.o: CPPFLAGS += -DGSCOPE_VERSION='"$(shell cat $(B)/.version)"' \
	-DGSCOPE_BPF_FROM='"$(if $(BPF_OBJECT),as given,built with it)"'
$(B)/user/base/version.o: $(B)/.version $(BPF_DIR)/.given

$(B)/.version: FORCE | $(O)/.tools
	@mkdir -p $(@D); tools/version | cmp -s - $@ || tools/version >$@

$(B)/%.o: %.c | $(SKELETON) $(O)/.tools
	@mkdir -p $(@D)
	$(call quiet,CC)$(COMPILE) -c -o $@ $<

ifeq ($(BPF_OBJECT),)
$(BPF_DIR)/%.bpf.o: bpf/%.bpf.c | $(O)/.tools
	@mkdir -p $(@D)
	$(call quiet,BPF)$(BPF_CC) -c -o $@ $<

$(BPF_DIR)/gscope.bpf.o: $(BPF_OBJS)
	$(call quiet,BPFLINK)$(BPFTOOL) gen object $@ $^

$(BPF_DIR)/gscope.skel.h: $(BPF_DIR)/gscope.bpf.o $(BPF_DIR)/.given
	$(call quiet,SKEL)$(BPFTOOL) gen skeleton $< name gscope_bpf >$@.new && mv $@.new $@
	@tools/bpf-object --sum $< $(BPF_SOURCES)
else
$(BPF_DIR)/gscope.skel.h: $(BPF_OBJECT) $(BPF_DIR)/.given | $(O)/.tools
	$(call quiet,SKEL)BPFTOOL='$(BPFTOOL)' tools/bpf-object $< $@
endif

# the object that was given, if any: another one is another skeleton
$(BPF_DIR)/.given: FORCE | $(O)/.tools
	@mkdir -p $(@D); echo '$(BPF_OBJECT)' | cmp -s - $@ || echo '$(BPF_OBJECT)' >$@

# one clear line when something to build with is missing, instead of a compiler's many
$(O)/.tools: tools/setup
	@mkdir -p $(O) 2>/dev/null && [ -w $(O) ] || \
		{ echo 'make: cannot write to $(O)/; make O=/ELSEWHERE builds there' >&2; exit 1; }
	@tools/setup --check $(if $(BPF_OBJECT),user,build) && touch $@

-include $(patsubst %.o,%.d,$(LIB_OBJS) $(MAIN_OBJ) $(UNIT_OBJS) $(SOAK_OBJS) $(FUZZ_OBJS) $(BPF_OBJS))

# Root gets what is missing installed, everybody else is told what it is.
setup:
	@tools/setup

toolchains: setup
	@tools/go-toolchains

services: toolchains
	@tools/services

JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

demo:
	@tools/setup --build
	@$(MAKE) --no-print-directory $(JOBS) all
	@tools/demo

# what is fetched and what is compiled do not need each other
test: setup
	@$(MAKE) --no-print-directory $(JOBS) services $(PROGRAM) $(B)/unit $(B)/soak
	@$(B)/unit
	@tests/bpf/run
	@$(if $(wildcard tests/e2e/run),GSCOPE=$(B)/gscope tests/e2e/run $(E2E))

# two parts of `test` alone
unit: setup
	@$(MAKE) --no-print-directory $(JOBS) $(B)/unit
	@$(B)/unit '$(SUITE)' '$(TEST)'

e2e: setup
	@$(MAKE) --no-print-directory $(JOBS) services $(PROGRAM) $(B)/soak
	@GSCOPE=$(B)/gscope tests/e2e/run $(ONLY)

check: check-format check-c check-shell check-man

check-format: setup
	@printf '  %-8s %s\n' FORMAT '$(sort $(foreach f,$(C_FILES),$(firstword $(subst /, ,$f))))'
	@$(if $(C_FILES),clang-format --dry-run -Werror $(C_FILES))

check-c: setup
	@printf '  %-8s %s\n' CPPCHECK user
	@if grep -rn '<uthash\.h>' user tests --include='*.[ch]' | grep -v '^user/base/hash\.h:'; then \
		echo 'check: include user/base/hash.h instead: keys are chosen by targets' >&2; exit 1; \
	fi
	@$(if $(LIB_OBJS),cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
		--enable=warning --enable=performance --enable=portability \
		--suppress=missingIncludeSystem --include=tools/cppcheck.h -j $(shell nproc) -I. user)

check-shell: setup
	@printf '  %-8s %s\n' SHELL '.ci tests tools'
	@shellcheck -x $$(grep -rlIE '^#!/bin/(ba)?sh|^# shellcheck shell' .ci tests tools)

check-man: setup
	@$(if $(MAN),printf '  %-8s %s\n' MAN '$(MAN)'; mandoc -T lint -W warning $(MAN))

fuzz: toolchains
	@$(MAKE) --no-print-directory $(JOBS) FUZZ=1 $(addprefix $(O)/fuzz/,seeds $(FUZZERS))
	@tests/fuzz/run $(FUZZERS)

soak: toolchains
	@$(MAKE) --no-print-directory $(JOBS) all $(B)/soak
	@SOAK_SEEDS=$(or $(SOAK_SEEDS),2000) SOAK_CYCLES=$(or $(SOAK_CYCLES),1000) SOAK_WINDOWS=200 \
		SOAK_KILLS=$(or $(SOAK_KILLS),2000) \
		GSCOPE=$(B)/gscope tests/e2e/run -k soak inline-kills guardian-kills
	@cat build/e2e/soak/accepted build/e2e/soak/settled build/e2e/guardian-kills/killed
	@grep -h 'whole ones' build/e2e/inline-soak-*/log
	@grep -h '^Go .* kills: ' build/e2e/inline-kills-*/log
	@tests/soak/page

bench: toolchains
	@$(MAKE) --no-print-directory $(JOBS) all
	@tools/bench/run $(if $(filter-out compilers,$(BENCH)),,--write) $(BENCH)

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

# every distribution that README names, in a chroot; DISTROS=trixie: only that one; SHORT=1: in ten
# minutes, for CI
distros: services dist
	@tests/distros/run $(if $(SHORT),--short,--write) $(DISTROS)

# sources with the compiled BPF programs, which are the same for every kernel
dist: $(SKELETON)
	@tools/dist $(BPF_DIR) $(ARCH) $(O)

install: all
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(PROGRAM)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/gscope LICENSE LICENSES/*
	$(foreach page,$(MAN),install -D -m 644 -t \
		$(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(page))) $(page) &&) :

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/gscope \
		$(foreach page,$(MAN),$(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page)))
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/gscope

# for clangd and other tools that want to know how each file is compiled
compile_commands.json: FORCE | $(SKELETON)
	@tools/compile-commands '$(COMPILE) -DGSCOPE_VERSION=\"\" -DGSCOPE_BPF_FROM=\"\"' '$(BPF_CC)' \
		$(filter %.c,$(C_FILES)) >$@

# the Go toolchains and services stay: they take long to fetch
clean:
	@if [ -d build ]; then \
		find build -mindepth 1 -maxdepth 1 ! -name go ! -name services -exec rm -rf {} +; \
	fi

help:
	@echo 'make           build/gscope'
	@echo 'make demo      trace a small server that works, and show what comes out (root)'
	@echo 'make test      unit and end-to-end tests; E2E=PART: of those the ones named like that (root)'
	@echo 'make unit      unit tests; SUITE=PART TEST=PART: of the suites and tests named like that'
	@echo 'make e2e       end-to-end tests; ONLY=PART: of the cases named like that (root)'
	@echo 'make check     formatting, static analysis, shell scripts, man pages'
	@echo 'make fuzz      what reads captures, rings and binaries; FUZZ_SECONDS=60 for each, FUZZERS=elf...'
	@echo 'make soak      damage recordings in thousands of ways; SOAK_SEEDS=2000 for each; redirect calls'
	@echo '               SOAK_CYCLES=1000 times, of every release and build; kill gscope, and who redirects'
	@echo '               calls, SOAK_KILLS=2000 times (root)'
	@echo 'make bench     measure the overhead: docs/overhead.md; BENCH=http: only some of it (root)'
	@echo 'make compat    every Go release in every build, Debian'\''s services: docs/compatibility.md (root)'
	@echo 'make accuracy  compare with what programs trace of themselves: docs/accuracy*.md (root)'
	@echo 'make minutes   trace for ten minutes, in bounded memory; MINUTES=10 (root)'
	@echo 'make vm        test on other kernels, in QEMU (root)'
	@echo 'make distros   Debian 12, 13 and sid from nothing, in chroots: docs/compatibility.md;'
	@echo '               DISTROS=trixie: only that one; SHORT=1: only a part, nothing is written (root)'
	@echo 'make dist      build/gscope-VERSION.tar.gz, which can be built without clang and bpftool'
	@echo 'make install   to PREFIX=$(PREFIX), below DESTDIR; make uninstall'
	@echo 'make compile_commands.json'
	@echo 'make clean     remove what was built, except build/go and build/services'
	@echo
	@echo 'Run by root, all but make, dist, install, uninstall and clean first install missing packages (tools/setup).'
	@echo 'SAN=1: with sanitizers, into build/san. V=1: show the commands.'
	@echo 'O=DIR: build there. BPF_OBJECT=FILE: BPF programs as they were built elsewhere (build/bpf).'

.PHONY: all setup toolchains services demo test unit e2e check check-format check-c check-shell check-man \
	fuzz soak bench compat accuracy minutes vm distros dist install uninstall clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:
