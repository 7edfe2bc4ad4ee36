// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/capture/records.h"

#include <string.h>

static unsigned int align8(unsigned int n)
{
	return (n + 7) & ~7U;
}

static void fill(char *p, unsigned int n, unsigned int seed)
{
	for (unsigned int i = 0; i < n; i++)
		p[i] = (char)('a' + (i + seed) % 26);
}

static unsigned int make_stack(struct ev_stack *ev, unsigned int n)
{
	ev->n = (__u16)n;
	ev->flags = 0;
	for (unsigned int i = 0; i < n; i++)
		ev->pc[i] = 0x401000 + i;
	return (unsigned int)(sizeof(*ev) + n * sizeof(ev->pc[0]));
}

static unsigned int make_string(struct ev_string *ev, unsigned int n, unsigned int seed)
{
	ev->kind = STRING_WAIT_REASON;
	memset(ev->text, 0, align8(n + 1));
	fill(ev->text, n, seed);
	return (unsigned int)sizeof(*ev) + align8(n + 1);
}

/* Frame i has a function of 5 + i and a file of 9 letters. */
static unsigned int make_symbol(struct ev_symbol *ev, unsigned int n, unsigned int seed)
{
	char *p = (char *)(ev + 1);

	ev->n = (__u16)n;
	for (unsigned int i = 0; i < n; i++) {
		struct ev_frame f = {
			.pc = 0x401000 + i, .line = i, .func_len = (__u16)(5 + i), .file_len = 9};
		unsigned int len = f.func_len + f.file_len;

		memcpy(p, &f, sizeof(f));
		p += sizeof(f);
		memset(p, 0, align8(len));
		fill(p, len, seed);
		p += align8(len);
	}
	return (unsigned int)(p - (char *)ev);
}

/* Two texts, or labels: as many pairs, of one letter each. */
static unsigned int make_user(struct ev_user *ev, unsigned int n, unsigned int seed)
{
	unsigned int len;

	n = n > USER_MAX_TEXT / 4 ? USER_MAX_TEXT / 4 : n;
	ev->kind = (__u8)(USER_TASK_BEGIN + seed % (USER_KINDS - USER_TASK_BEGIN));
	ev->len[0] = (__u16)n;
	ev->len[1] = (__u16)(n / 2);
	if (ev->kind == USER_LABELS) {
		ev->len[0] = (__u16)(4 * n);
		ev->len[1] = 0;
	}
	len = (unsigned int)ev->len[0] + ev->len[1];
	memset(ev->text, 0, align8(len));
	fill(ev->text, len, seed);
	if (ev->kind == USER_LABELS)
		for (unsigned int i = 1; i < len; i += 2)
			ev->text[i] = 0;
	return (unsigned int)sizeof(*ev) + align8(len);
}

struct event_head *record_make(void *buf, unsigned int type, unsigned int tail, unsigned int seed)
{
	static const unsigned int sizes[] = {
		[EV_SWITCH] = sizeof(struct ev_switch),
		[EV_WAKEUP] = sizeof(struct ev_wakeup),
		[EV_FORK] = sizeof(struct ev_task),
		[EV_EXEC] = sizeof(struct ev_task),
		[EV_EXIT] = sizeof(struct ev_task),
		[EV_SYS_ENTER] = sizeof(struct ev_sys_enter),
		[EV_SYS_EXIT] = sizeof(struct ev_sys_exit),
		[EV_GO] = sizeof(struct ev_go),
		[EV_GO_CREATE] = sizeof(struct ev_go_create),
		[EV_TARGET] = sizeof(struct ev_target),
		[EV_PROCESS] = sizeof(struct ev_process),
		[EV_TASK] = sizeof(struct ev_task_state),
		[EV_SNAP_P] = sizeof(struct ev_snap_p),
		[EV_SNAP_M] = sizeof(struct ev_snap_m),
		[EV_SNAP_G] = sizeof(struct ev_snap_g),
		[EV_READY] = sizeof(struct ev_ready),
		[EV_LOSS] = sizeof(struct ev_loss),
		[EV_GONE] = sizeof(struct ev_gone),
		[EV_SITE] = sizeof(struct ev_site),
		[EV_COST] = sizeof(struct ev_cost),
		[EV_END] = sizeof(struct ev_end),
		[EV_RUNTIME] = sizeof(struct ev_runtime),
		[EV_SAMPLE] = sizeof(struct ev_sample),
		[EV_SNAP_GC] = sizeof(struct ev_snap_gc),
		[EV_HEAP] = sizeof(struct ev_heap),
		[EV_SHED] = sizeof(struct ev_shed),
		[EV_NOTICE] = sizeof(struct ev_notice),
		[EV_INLINE] = sizeof(struct ev_inline),
		[EV_MISSING] = sizeof(struct ev_missing),
		[EV_DAMAGE] = sizeof(struct ev_damage),
		[EV_GOROUTINE] = sizeof(struct ev_goroutine),
		[EV_OFF_CPU] = sizeof(struct ev_off_cpu),
	};
	struct event_head *h = buf;
	unsigned int size = type < sizeof(sizes) / sizeof(sizes[0]) ? sizes[type] : 0;

	memset(buf, 0, sizeof(struct ev_process));
	/* letters everywhere: also in the strings, which then end where their array does */
	fill((char *)buf + sizeof(*h), size ? size - (unsigned int)sizeof(*h) : 16, seed);
	switch (type) {
	case EV_SWITCH:
		((struct ev_switch *)buf)->next_comm[EVENT_COMM_LEN - 1] = 0;
		break;
	case EV_WAKEUP:
		((struct ev_wakeup *)buf)->comm[EVENT_COMM_LEN - 1] = 0;
		break;
	case EV_FORK:
	case EV_EXEC:
	case EV_EXIT:
		((struct ev_task *)buf)->comm[EVENT_COMM_LEN - 1] = 0;
		break;
	case EV_GO:
	case EV_GO_CREATE:
		((struct ev_go *)buf)->kind = (__u8)(GO_START + seed % GO_DROPM);
		break;
	case EV_DAMAGE:
		((struct ev_damage *)h)->kinds = DAMAGE_TIME | DAMAGE_FLOOD;
		break;
	case EV_NOTICE:
		((struct ev_notice *)buf)->what = NOTICE_STOPPED + seed % NOTICE_RUNTIME;
		((struct ev_notice *)buf)->text[127] = 0;
		break;
	case EV_SHED:
		((struct ev_shed *)buf)->what = SHED_ASKED + seed % SHED_SUMMARY;
		((struct ev_shed *)buf)->from = seed % SHED_LEVELS;
		((struct ev_shed *)buf)->to = seed / SHED_LEVELS % SHED_LEVELS;
		break;
	case EV_MISSING:
		((struct ev_missing *)buf)->program[31] = 0;
		((struct ev_missing *)buf)->shows[63] = 0;
		((struct ev_missing *)buf)->why[255] = 0;
		break;
	case EV_RUNTIME:
		((struct ev_runtime *)buf)->kind =
			(__u8)(RT_STW_BEGIN + seed % (RT_PROCS - RT_STW_BEGIN + 1));
		break;
	case EV_USER:
		size = make_user(buf, tail, seed);
		break;
	case EV_STACK:
		size = make_stack(buf, tail);
		break;
	case EV_TARGET:
		((struct ev_target *)buf)->go_version[39] = 0;
		((struct ev_target *)buf)->layout[15] = 0;
		((struct ev_target *)buf)->build_id[103] = 0;
		((struct ev_target *)buf)->comm[EVENT_COMM_LEN - 1] = 0;
		((struct ev_target *)buf)->exe[255] = 0;
		break;
	case EV_PROCESS:
		((struct ev_process *)buf)->comm[EVENT_COMM_LEN - 1] = 0;
		((struct ev_process *)buf)->exe[255] = 0;
		((struct ev_process *)buf)->why[383] = 0;
		break;
	case EV_STRING:
		size = make_string(buf, tail, seed);
		break;
	case EV_TASK:
		((struct ev_task_state *)buf)->comm[EVENT_COMM_LEN - 1] = 0;
		break;
	case EV_LOSS:
		((struct ev_loss *)buf)->loss_class = seed % LOSS_CLASSES;
		break;
	case EV_SYMBOL:
		size = make_symbol(buf, tail, seed);
		break;
	case EV_GONE:
		((struct ev_gone *)buf)->how = GONE_EXEC;
		break;
	case EV_SITE:
		((struct ev_site *)buf)->kind = GO_READY;
		((struct ev_site *)buf)->func[63] = 0;
		break;
	case EV_END:
		((struct ev_end *)buf)->why = END_INTERRUPT;
		break;
	}
	h->time_ns = 1000 * (__u64)seed;
	h->tid = seed;
	h->type = (__u16)type;
	h->size = (__u16)size;
	return h;
}
