// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/heap.h"

#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"
#include "user/target/globals.h"

#define NONE UINT64_MAX

/*
 * What runtime.gcController had in it and runtime.ReadMemStats told as NextGC right before, of
 * programs that set GOGC and a memory limit and held 16 MiB, or nothing.
 */
static const struct figure {
	struct heap_state s;
	uint64_t goal;
} go119[] =
	{
		/* as it starts */
		{{48128, 4194304, 0, NONE, 0, INT64_MAX, 0, 45952, 8748048}, 4194304},
		/* GOGC=100, 20 */
		{{16823168, 33871440, 17871744, NONE, 16823168, INT64_MAX, 73728, 16822880,
		  26221584},
		 33871440},
		{{16824328, 20232822, 0, NONE, 16823168, INT64_MAX, 73728, 16823960, 26246160},
		 20232822},
		/* GOGC=1 of next to nothing */
		{{54192, 49422, 1095280, NONE, 46704, INT64_MAX, 16785408, 46416, 26205200},
		 1095280},
		/* GOGC=off; and a limit of 200 MiB, then with GOGC=2000 */
		{{16826176, NONE, 0, NONE, 16825032, 209715200, 90112, 16825808, 26295312},
		 199287232},
		{{16826272, 357827752, 0, NONE, 16825032, 209715200, 90112, 16825904, 26295312},
		 199287328},
		/* limits of 20 MiB, 4 MiB, none again */
		{{16826368, 357827752, 0, NONE, 16825032, 20971520, 90112, 16826000, 26295312},
		 16825032},
		{{16826728, 357827752, 0, 16825032, 16825032, 4194304, 0, 16826360, 26270736},
		 16825032},
		{{16834616, 357827752, 0, 16825032, 16825032, INT64_MAX, 0, 16826440, 26270736},
		 357827752},
},
  go127[] = {
	  {{69552, 4194304, 0, NONE, 0, INT64_MAX, 0, 63328, 3881224}, 4194304},
	  {{16839152, 33831874, 17887728, NONE, 16839152, INT64_MAX, 98304, 16838864, 21387528},
	   33831874},
	  {{16841880, 20237696, 0, NONE, 16839152, INT64_MAX, 98304, 16839912, 21420296}, 20237696},
	  {{62648, 64812, 1111224, NONE, 62648, INT64_MAX, 16883712, 62360, 21428488}, 1111224},
	  {{16841864, NONE, 0, NONE, 16839152, 209715200, 163840, 16839896, 21502216}, 199060219},
	  {{16842344, 356697432, 0, NONE, 16839152, 209715200, 163840, 16839992, 21502216},
	   199060312},
	  {{16842824, 356697432, 0, NONE, 16839152, 20971520, 163840, 16840088, 21502216},
	   16839152},
	  {{16840208, 356728728, 17888784, NONE, 16840208, 4194304, 49152, 16839920, 21379336},
	   16840208},
	  {{16840872, 356741552, 17889448, NONE, 16840872, INT64_MAX, 0, 16840584, 21379336},
	   356741552},
};

static void compare(const struct figure *v, size_t n, unsigned int go_minor)
{
	for (size_t i = 0; i < n; i++) {
		CU_ASSERT_EQUAL(heap_goal(&v[i].s, go_minor), v[i].goal);
	}
}

static void goals_are_the_runtimes(void)
{
	compare(go119, sizeof(go119) / sizeof(go119[0]), 19);
	compare(go127, sizeof(go127) / sizeof(go127[0]), 27);
}

static void no_goal(void)
{
	struct heap_state s = {16825032,  NONE,  0,        NONE,    16825032,
			       INT64_MAX, 90112, 16824744, 26270736};

	CU_ASSERT_EQUAL(heap_goal(&s, 19), 0);
	CU_ASSERT_EQUAL(heap_goal(&s, 27), 0);
}

/* A cycle that began late needs some room: heapGoalInternal, minRunway. */
static void goal_leaves_a_runway(void)
{
	struct heap_state s = go127[1].s;

	s.triggered = s.percent_goal - 1000;
	CU_ASSERT_EQUAL(heap_goal(&s, 27), s.triggered + 65536);
	s.triggered = s.percent_goal - 65536;
	CU_ASSERT_EQUAL(heap_goal(&s, 27), s.percent_goal);
}

/* Numbers that make no sense, of a process that was changed, make some number. */
static void any_numbers(void)
{
	uint64_t extremes[] = {0, 1, INT64_MAX, UINT64_MAX};

	for (size_t i = 0; i < 4 * 4 * 4 * 4; i++) {
		struct heap_state s = {
			.percent_goal = extremes[i % 4],
			.limit = extremes[i / 4 % 4],
			.mapped = extremes[i / 16 % 4],
			.triggered = extremes[i / 64 % 4],
			.marked = 7,
		};

		heap_goal(&s, 19);
		heap_goal(&s, 27);
	}
}

/* The fields are where the code of every program uses them. */
static void fields_are_proven(void)
{
	const uint64_t bias = 0x7000000;

	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *how = prog_how; *how; how++) {
			const char *path = prog_worth_it(*r, *how) ? prog_path(*r, *how) : NULL;
			struct globals g;
			struct prog_file f;
			struct heap h;

			if (!path || !prog_open(&f, path, bias))
				continue;
			globals_by_symbol(&g, f.elf, bias);
			if (!heap_find(&h, g.gc_controller, f.build.go_minor, f.elf, f.pcln,
				       bias)) {
				printf("\n    %s: where the size of the heap is, is not known",
				       path);
				CU_FAIL("not known");
			}
			CU_ASSERT_EQUAL(h.controller, g.gc_controller);
			/* another variable has no such fields */
			CU_ASSERT_FALSE(heap_find(&h, 0, f.build.go_minor, f.elf, f.pcln, bias));
			prog_close(&f);
		}
	}
}

static CU_TestInfo tests[] = {
	{"goals are those of the runtime", goals_are_the_runtimes},
	{"no goal if nothing asks for GC", no_goal},
	{"a goal leaves a runway", goal_leaves_a_runway},
	{"any numbers", any_numbers},
	{"fields are proven by code", fields_are_proven},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/heap", tests);
