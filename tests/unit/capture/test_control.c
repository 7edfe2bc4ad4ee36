// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What is handed to the BPF programs: offsets, cookies, sizes; and what is read for them. */
#include <asm/ptrace.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "bpf/control.h"
#include "tests/unit/unit.h"
#include "user/capture/attach.h"
#include "user/capture/config.h"
#include "user/capture/load.h"
#include "user/capture/pcset.h"
#include "user/capture/rings.h"
#include "user/capture/tasks.h"

/* Go 1.26 on amd64. */
static struct layout go126(void)
{
	return (struct layout){
		.rung = "dwarf",
		.tls_g = -8,
		.g = {.stack_hi = 8,
		      .m = 48,
		      .sched_sp = 56,
		      .sched_pc = 64,
		      .sched_bp = 96,
		      .syscallsp = 104,
		      .syscallpc = 112,
		      .syscallbp = 120,
		      .atomicstatus = 144,
		      .goid = 152,
		      .waitreason = 176,
		      .gopc = 288,
		      .startpc = 304,
		      .coroarg = 384,
		      .coroexit = 187,
		      .labels = 352},
		.m = {.curg = 184,
		      .p = 208,
		      .oldp = 224,
		      .wait_block_reason = 784,
		      .wait_skip = 776},
		.p = {.status = 4, .worker_mode = 4672},
	};
}

static void fills_in_a_known_layout(void)
{
	struct layout l = go126();
	struct target_cfg cfg;

	CU_ASSERT_EQUAL(target_cfg_fill(&cfg, &l, NULL), 0);
	CU_ASSERT_EQUAL(cfg.tls_g, -8);
	CU_ASSERT_EQUAL(cfg.flags, TARGET_GO);
	CU_ASSERT_EQUAL(cfg.g_goid, 152);
	CU_ASSERT_EQUAL(cfg.m_p, 24); /* counted from m.curg */
	CU_ASSERT_EQUAL(cfg.m_oldp, 40);
	CU_ASSERT_EQUAL(cfg.coro_gp, 0);
	CU_ASSERT_EQUAL(cfg.p_worker_mode, 4672);
	CU_ASSERT_EQUAL(cfg.g_labels, 352);
}

static void what_a_version_has_not_is_marked(void)
{
	struct layout l = go126();
	struct target_cfg cfg;

	l.g.syscallbp = l.g.coroarg = l.g.coroexit = l.coro.gp = -1;
	l.g.labels = l.p.worker_mode = -1;
	CU_ASSERT_EQUAL(target_cfg_fill(&cfg, &l, NULL), 0);
	CU_ASSERT_EQUAL(cfg.g_syscallbp, NO_OFFSET);
	CU_ASSERT_EQUAL(cfg.coro_gp, NO_OFFSET);
	CU_ASSERT_EQUAL(cfg.p_worker_mode, NO_OFFSET);
	CU_ASSERT_EQUAL(cfg.g_labels, NO_OFFSET);
}

static void refuses(int32_t *field, int32_t value, struct layout *l, const char *name)
{
	int32_t old = *field;
	struct target_cfg cfg;
	struct error e = {0};

	*field = value;
	CU_ASSERT_EQUAL(target_cfg_fill(&cfg, l, &e), -ENOTSUP);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, name));
	*field = old;
}

static void refuses_what_the_programs_cannot_read(void)
{
	struct layout l = go126();

	refuses(&l.g.goid, -1, &l, "g.goid"); /* no such field */
	refuses(&l.g.goid, G_HEAD, &l, "g.goid"); /* out of the reach of the one read */
	refuses(&l.g.goid, 150, &l, "g.goid"); /* not aligned */
	refuses(&l.g.waitreason, G_HEAD, &l, "g.waitreason");
	refuses(&l.m.p, l.m.curg - 8, &l, "m.p"); /* the words are read from m.curg on */
	refuses(&l.m.oldp, l.m.curg + M_WORDS, &l, "m.oldp");
	refuses(&l.m.wait_skip, 800, &l, "waitTraceSkip");
}

static void cookies_hold_what_was_put_in(void)
{
	__u64 c = cookie_make(0xfffe, GO_DROPM, READ_SWITCH, 0x120);

	CU_ASSERT_EQUAL(cookie_site(c), 0xfffe);
	CU_ASSERT_EQUAL(cookie_kind(c), GO_DROPM);
	CU_ASSERT_EQUAL(cookie_reading(c), READ_SWITCH);
	CU_ASSERT_EQUAL(cookie_slot(c), 0x120);
	CU_ASSERT_EQUAL(cookie_slot(cookie_make(1, 2, READ_READY, -1)), COOKIE_NO_SLOT);
	CU_ASSERT_EQUAL(cookie_slot(cookie_make(1, 2, READ_READY, 70000)), COOKIE_NO_SLOT);
	CU_ASSERT_EQUAL(cookie_slot(cookie_make(1, 2, READ_READY, 0)), 0);
}

/* A call's cookie says nothing of registers: the programs go by that. */
static void cookies_say_where_gp_is(void)
{
	const struct site call = {.kind = SITE_READY, .place = SITE_AT_CALL, .skip_slot = 0x40};
	const struct site swap = {
		.kind = SITE_READY,
		.place = SITE_SWAP_BRANCH,
		.skip_slot = 0xc0,
		.reg = 10,
		.old_status = 4,
		.new_status = SITE_STATUS_UNKNOWN,
	};
	__u64 c = site_cookie(&swap, 0xfffe);

	CU_ASSERT_EQUAL(site_cookie(&call, 7), cookie_make(7, GO_READY, READ_READY, 0x40));
	CU_ASSERT_EQUAL(cookie_place(site_cookie(&call, 0xffff)), PLACE_CALL);
	CU_ASSERT_EQUAL(cookie_site(c), 0xfffe);
	CU_ASSERT_EQUAL(cookie_kind(c), GO_READY);
	CU_ASSERT_EQUAL(cookie_reading(c), READ_READY);
	CU_ASSERT_EQUAL(cookie_slot(c), 0xc0);
	CU_ASSERT_EQUAL(cookie_place(c), PLACE_SWAP_BRANCH);
	CU_ASSERT_EQUAL(cookie_old(c), 4);
	CU_ASSERT_EQUAL(cookie_new(c), COOKIE_NO_STATUS);
}

/* A register's number is that of its word in what the kernel hands to the programs. */
static void registers_are_where_the_kernel_has_them(void)
{
	static const size_t at[16] = {
		offsetof(struct pt_regs, rax), offsetof(struct pt_regs, rcx),
		offsetof(struct pt_regs, rdx), offsetof(struct pt_regs, rbx),
		offsetof(struct pt_regs, rsp), offsetof(struct pt_regs, rbp),
		offsetof(struct pt_regs, rsi), offsetof(struct pt_regs, rdi),
		offsetof(struct pt_regs, r8),  offsetof(struct pt_regs, r9),
		offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r11),
		offsetof(struct pt_regs, r12), offsetof(struct pt_regs, r13),
		offsetof(struct pt_regs, r14), offsetof(struct pt_regs, r15),
	};

	for (uint8_t i = 0; i < 16; i++) {
		const struct site s = {.kind = SITE_START, .place = SITE_REGISTER, .reg = i};

		CU_ASSERT_EQUAL(8 * cookie_word(site_cookie(&s, 0)), at[i]);
	}
}

static void every_site_has_a_record(void)
{
	for (int kind = 1; kind < SITE_KINDS; kind++)
		CU_ASSERT_TRUE(site_go_kind((enum site_kind)kind) >= GO_START &&
			       site_go_kind((enum site_kind)kind) < USER_KINDS);
}

static uint64_t id_of(uint32_t tgid, const uint64_t *pc, size_t n)
{
	uint64_t id = stack_id_begin(tgid);

	for (size_t i = 0; i < n; i++)
		id = stack_id_add(id, pc[i]);
	return stack_id_end(id);
}

static void stack_ids_tell_stacks_apart(void)
{
	const uint64_t a[] = {0x401000, 0x402000}, b[] = {0x402000, 0x401000};
	const uint64_t c[] = {0x401000, 0x402000, 0};

	CU_ASSERT_EQUAL(id_of(1, a, 2), id_of(1, a, 2));
	CU_ASSERT_NOT_EQUAL(id_of(1, a, 2), id_of(2, a, 2));
	CU_ASSERT_NOT_EQUAL(id_of(1, a, 2), id_of(1, b, 2));
	CU_ASSERT_NOT_EQUAL(id_of(1, a, 2), id_of(1, a, 1));
	CU_ASSERT_NOT_EQUAL(id_of(1, a, 2), id_of(1, c, 3));
	CU_ASSERT_NOT_EQUAL(id_of(0, a, 0), 0);
}

static void rings_share_out_the_buffer(void)
{
	const uint64_t much = 1ULL << 40, little = 1ULL << 30;

	CU_ASSERT_EQUAL(ring_size(64 << 20, 2, much), 32 << 20);
	CU_ASSERT_EQUAL(ring_size((64 << 20) + 1, 2, much), 64 << 20);
	CU_ASSERT_EQUAL(ring_size(1, 128, much), 64 << 10);
	for (size_t cpus = 1; cpus <= 4096; cpus++) {
		uint64_t size = ring_size(0, cpus, much);

		CU_ASSERT_EQUAL(size & (size - 1), 0);
		/* half a million records, whatever the number of CPUs, and 40 ms of a busy one */
		CU_ASSERT_TRUE(size * cpus >= 500000 * 80);
		CU_ASSERT_TRUE(size >= 40000 * 88);
		CU_ASSERT_TRUE(size * cpus <= 2 * 500000 * 88 || size == 4 << 20);
		/* no more than a small machine can spare, unless it is asked for */
		size = ring_size(0, cpus, little);
		CU_ASSERT_EQUAL(size & (size - 1), 0);
		CU_ASSERT_TRUE(size * cpus <= little / 32 || size == 64 << 10);
		CU_ASSERT_TRUE(ring_size(256 << 20, cpus, little) * cpus >= 256 << 20);
	}
	/* larger than any ring can be */
	CU_ASSERT_EQUAL(ring_size(1ULL << 40, 2, much), 1 << 30);
}

static void reads_the_stat_of_odd_names(void)
{
	struct ev_task_state ev;

	CU_ASSERT_EQUAL(task_parse_stat("12 (server) S 1 2 3", &ev), 0);
	CU_ASSERT_STRING_EQUAL(ev.comm, "server");
	CU_ASSERT_EQUAL(ev.state, 'S');
	CU_ASSERT_EQUAL(task_parse_stat("12 (a) R (b)) D 1", &ev), 0);
	CU_ASSERT_STRING_EQUAL(ev.comm, "a) R (b)");
	CU_ASSERT_EQUAL(ev.state, 'D');
	CU_ASSERT_EQUAL(task_parse_stat("12 (a name that is far too long) R 1", &ev), 0);
	CU_ASSERT_EQUAL(strlen(ev.comm), EVENT_COMM_LEN - 1);
	CU_ASSERT_EQUAL(task_parse_stat("12 () Z", &ev), 0);
	CU_ASSERT_STRING_EQUAL(ev.comm, "");
	CU_ASSERT_EQUAL(task_parse_stat("12 (cut", &ev), -EINVAL);
	CU_ASSERT_EQUAL(task_parse_stat("12 (cut)", &ev), -EINVAL);
	CU_ASSERT_EQUAL(task_parse_stat("12 )( S", &ev), -EINVAL);
	CU_ASSERT_EQUAL(task_parse_stat("", &ev), -EINVAL);
}

static void a_set_keeps_all_its_members(void)
{
	struct pcset s = {0};

	CU_ASSERT_PTR_NULL(pcset_find(&s, 1));
	for (uint64_t i = 1; i <= 10000; i++) {
		CU_ASSERT_PTR_NULL(pcset_find(&s, i << 20));
		CU_ASSERT_EQUAL_FATAL(pcset_add(&s, i << 20, (uint8_t)i), 0);
	}
	for (uint64_t i = 1; i <= 10000; i++) {
		const uint8_t *note = pcset_find(&s, i << 20);

		CU_ASSERT_TRUE(note && *note == (uint8_t)i);
		CU_ASSERT_PTR_NULL(pcset_find(&s, (i << 20) + 1));
	}
	pcset_free(&s);
	CU_ASSERT_PTR_NULL(pcset_find(&s, 1 << 20));
}

static CU_TestInfo tests[] = {
	{"fills in a known layout", fills_in_a_known_layout},
	{"what a version has not is marked", what_a_version_has_not_is_marked},
	{"refuses what the programs cannot read", refuses_what_the_programs_cannot_read},
	{"cookies hold what was put in", cookies_hold_what_was_put_in},
	{"cookies say where gp is", cookies_say_where_gp_is},
	{"registers are where the kernel has them", registers_are_where_the_kernel_has_them},
	{"every site has a record", every_site_has_a_record},
	{"stack ids tell stacks apart", stack_ids_tell_stacks_apart},
	{"rings share out the buffer", rings_share_out_the_buffer},
	{"reads the stat of odd names", reads_the_stat_of_odd_names},
	{"a set keeps all its members", a_set_keeps_all_its_members},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/control", tests);
