// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The target runs on while it is read. runtime.allgs only grows and a g is never freed, so its
 * address stays good (runtime/proc.go: allgs, forEachGRace); what a g says is read twice, before
 * and after its stack, and believed when both agree.
 */
#include "user/target/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "user/target/callback.h"
#include "user/target/settle.h"

#define SCAN_BIT 0x1000U /* _Gscan */

/* Far above what a process can have; stops a list that makes no sense. */
#define MAX_GOROUTINES (64U << 20)
#define MAX_THREADS (1U << 20)
#define MAX_PROCESSORS (1U << 20)

/* Goroutines whose stacks are in memory at the same time. */
#define BATCH 512
/* Most stacks are shorter; what is left of longer ones is read afterwards. */
#define FIRST_READ 2048U
/* Of those, so much at a time. */
#define DEEP_READ (32U << 10)
/* How often a goroutine that changes while it is read is tried again. */
#define ATTEMPTS 3

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* A field that is not there, or not known to be, is 0. */
static uint64_t get64(const uint8_t *p, int32_t off)
{
	uint64_t v;

	if (off < 0)
		return 0;
	memcpy(&v, p + off, sizeof(v));
	return v;
}

static uint32_t get32(const uint8_t *p, int32_t off)
{
	uint32_t v;

	memcpy(&v, p + off, sizeof(v));
	return v;
}

static int out_of_memory(struct error *e)
{
	return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
}

static int unreadable(const struct target *t, const char *what, int err, struct error *e)
{
	if (!target_process_alive(t->process))
		return error_set(e, EXIT_TARGET, -ESRCH, "pid %d has ended", (int)t->process->pid);
	return error_set(e, EXIT_TARGET, err, "pid %d: %s cannot be read: %s", (int)t->process->pid,
			 what, strerror(-err));
}

static int senseless(const struct target *t, const char *what, struct error *e)
{
	return error_set(e, EXIT_TARGET, -EPROTO,
			 "pid %d: %s makes no sense in the memory of the process; please report it "
			 "with the output of `go version -m %.200s`",
			 (int)t->process->pid, what, t->process->exe);
}

/* Read `len` bytes of a variable of the runtime. */
static int read_variable(const struct target *t, uint64_t addr, const char *name, void *buf,
			 size_t len, struct error *e)
{
	int err = target_process_read(t->process, addr, buf, len);

	return err ? unreadable(t, name, err, e) : 0;
}

/* --- threads and processors --------------------------------------------------------------- */

static size_t max_size(size_t size, int32_t off, size_t len)
{
	return off >= 0 && off + len > size ? off + len : size;
}

/* What is of interest in a struct m is near its start. */
static size_t m_head(const struct layout *l)
{
	const int32_t offsets[] = {l->m.procid, l->m.curg, l->m.p,
				   l->m.oldp,   l->m.id,   l->m.alllink};
	size_t size = 0;

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		size = max_size(size, offsets[i], 8);
	return size;
}

static int read_threads(struct snapshot *s, const struct target *t, struct error *e)
{
	const struct layout *l = &t->layout;
	size_t size = m_head(l);
	uint8_t *m = malloc(size);
	size_t room = 0;
	uint64_t addr;
	int err;

	if (!m)
		return out_of_memory(e);
	err = read_variable(t, t->globals.allm, "runtime.allm", &addr, sizeof(addr), e);
	while (!err && addr) {
		if (s->nm == room) {
			struct snapshot_m *v;

			room = room ? 2 * room : 64;
			v = realloc(s->m, room * sizeof(*v));
			if (!v) {
				err = out_of_memory(e);
				break;
			}
			s->m = v;
		}
		err = target_process_read(t->process, addr, m, size);
		if (err == -EFAULT && s->nm) {
			/* an M that ended is unlinked and may be freed under us: what was read
			   stands */
			err = 0;
			break;
		}
		if (err) {
			err = unreadable(t, "runtime.allm", err, e);
			break;
		}
		s->m[s->nm++] = (struct snapshot_m){
			.addr = addr,
			.curg = get64(m, l->m.curg),
			.p = get64(m, l->m.p),
			.oldp = get64(m, l->m.oldp),
			.id = get64(m, l->m.id),
			.tid = get64(m, l->m.procid),
		};
		addr = get64(m, l->m.alllink);
		if (s->nm > MAX_THREADS)
			err = senseless(t, "runtime.allm", e);
	}
	free(m);
	return err;
}

/*
 * The tids of the Ms' threads as we see them, where the runtime has seen other ones in its
 * container. An extra M keeps the tid of the C thread it last served (unminit leaves m.procid
 * alone): forget tids of threads that are not there, or that are another M's by now, one nearer to
 * the head of allm, where new ones are put.
 */
static int find_threads(struct snapshot *s, const struct target *t, struct error *e)
{
	struct target_thread *threads;
	size_t n;
	int err = target_process_threads(t->process, &threads, &n, e);

	if (err)
		return err;
	for (size_t i = 0; i < s->nm; i++) {
		pid_t own = (pid_t)s->m[i].tid;

		s->m[i].tid = 0;
		for (size_t k = 0; k < n && own && !s->m[i].tid; k++)
			if (threads[k].own_tid == own)
				s->m[i].tid = (uint32_t)threads[k].tid;
		for (size_t k = 0; k < i; k++)
			if (s->m[k].tid == s->m[i].tid)
				s->m[i].tid = 0;
	}
	free(threads);
	return 0;
}

static void parse_p(const struct layout *l, uint64_t addr, const uint8_t *p, struct snapshot_p *out)
{
	*out = (struct snapshot_p){
		.addr = addr,
		.m = get64(p, l->p.m),
		.id = (int32_t)get32(p, l->p.id),
		.status = get32(p, l->p.status),
	};
}

/* Bytes of a struct p that have to be read for parse_p(); the whole is 16 kB. */
static size_t p_head(const struct layout *l)
{
	int32_t end = l->p.m + 8;

	if (l->p.id + 4 > end)
		end = l->p.id + 4;
	return l->p.status + 4 > end ? l->p.status + 4 : end;
}

int snapshot_read_p(const struct target *t, uint64_t addr, struct snapshot_p *out)
{
	size_t size = p_head(&t->layout);
	uint8_t *p = malloc(size);
	int err;

	if (!p)
		return -ENOMEM;
	err = target_process_read(t->process, addr, p, size);
	if (!err)
		parse_p(&t->layout, addr, p, out);
	free(p);
	return err;
}

static int read_processors(struct snapshot *s, const struct target *t, struct error *e)
{
	uint64_t slice[3], *addrs;
	int err = read_variable(t, t->globals.allp, "runtime.allp", slice, sizeof(slice), e);

	if (err)
		return err;
	if (!slice[1] || slice[1] > MAX_PROCESSORS)
		return senseless(t, "runtime.allp", e);
	addrs = calloc(slice[1], sizeof(*addrs));
	s->p = calloc(slice[1], sizeof(*s->p));
	if (!addrs || !s->p) {
		free(addrs);
		return out_of_memory(e);
	}
	err = target_process_read(t->process, slice[0], addrs, slice[1] * sizeof(*addrs));
	for (size_t i = 0; i < slice[1] && !err; i++) {
		if (addrs[i])
			err = snapshot_read_p(t, addrs[i], &s->p[s->np++]);
	}
	free(addrs);
	return err ? unreadable(t, "runtime.allp", err, e) : 0;
}

/* --- goroutines --------------------------------------------------------------------------- */

/* One goroutine on its way: what was read of it and its stack. */
struct pending {
	uint64_t addr;
	uint64_t time_ns;
	uint8_t *g; /* bytes of the struct */
	uint64_t pc, sp, bp; /* where it stopped; pc 0: it has no stack to read */
	uint64_t hi; /* end of its stack */
	uint8_t *stack; /* the part from `base` on */
	uint64_t base;
	size_t size; /* of `stack` */
	uint64_t pcs[SNAPSHOT_MAX_FRAMES];
	unsigned int npcs;
	bool truncated;
	bool broken; /* it led somewhere it cannot go: it changed under us */
	bool live, settled;
};

struct reader {
	struct target *t;
	struct snapshot *s;
	size_t g_size; /* bytes of a struct g that are of interest */
	struct callback callback;
	struct pending *v; /* BATCH of them */
	uint8_t *g_bytes, *g_again, *stacks, *deep;
	struct target_piece *pieces;
	size_t room_g, room_pool, npool;
};

/* The fields of interest are near the start of the struct: leave out what is behind them. */
static size_t g_head(const struct layout *l)
{
	const int32_t offsets[] = {
		l->g.stack_lo,   l->g.stack_hi,     l->g.m,         l->g.sched_sp,
		l->g.sched_pc,   l->g.sched_bp,     l->g.syscallsp, l->g.syscallpc,
		l->g.syscallbp,  l->g.atomicstatus, l->g.goid,      l->g.waitsince,
		l->g.waitreason, l->g.parent_goid,  l->g.gopc,      l->g.startpc,
	};
	size_t size = 0;

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		size = max_size(size, offsets[i], 8);
	return size;
}

static unsigned int status_of(const struct layout *l, const uint8_t *g)
{
	return get32(g, l->g.atomicstatus) & ~SCAN_BIT;
}

/* A goroutine there is something to say about. */
static bool is_live(const struct layout *l, const uint8_t *g)
{
	switch (status_of(l, g)) {
	case GO_RUNNABLE:
	case GO_RUNNING:
	case GO_SYSCALL:
	case GO_WAITING:
	case GO_COPYSTACK:
	case GO_PREEMPTED:
	case GO_LEAKED:
		return get64(g, l->g.goid) != 0;
	default:
		return false;
	}
}

/*
 * The frame pointer of a goroutine in a syscall. Go <= 1.22 does not save it; but the function at
 * syscallpc has a frame of known size, whose topmost word is the frame pointer it saved.
 */
static uint64_t syscall_bp(const struct target *t, const struct pending *p)
{
	int size;

	if (t->layout.g.syscallbp >= 0)
		return get64(p->g, t->layout.g.syscallbp);
	size = modules_pcsp(t->modules, p->pc);
	return size >= 8 ? p->sp + size - 8 : 0;
}

/*
 * Where the walk of its stack starts, as the runtime's own tracer does it (traceStack in
 * runtime/tracestack.go).
 */
static void find_stack(const struct target *t, struct pending *p)
{
	const struct layout *l = &t->layout;
	const uint8_t *g = p->g;
	uint64_t lo = get64(g, l->g.stack_lo);

	p->pc = 0;
	p->hi = get64(g, l->g.stack_hi);
	switch (status_of(l, g)) {
	case GO_RUNNING:
	case GO_COPYSTACK:
		return;
	case GO_SYSCALL:
		if (!get64(g, l->g.syscallsp))
			return;
		p->pc = get64(g, l->g.syscallpc);
		p->sp = get64(g, l->g.syscallsp);
		p->bp = syscall_bp(t, p);
		break;
	default:
		p->pc = get64(g, l->g.sched_pc);
		p->sp = get64(g, l->g.sched_sp);
		p->bp = get64(g, l->g.sched_bp);
	}
	if (lo >= p->hi || p->sp < lo || p->sp > p->hi || p->sp % 8)
		p->pc = 0;
}

/* The word at `addr` of the goroutine's stack: false if that is not in what was read. */
static bool stack_word(const struct pending *p, uint64_t addr, uint64_t *v)
{
	if (addr % 8 || addr < p->base || p->size < 8 || addr - p->base > p->size - 8)
		return false;
	memcpy(v, p->stack + (addr - p->base), sizeof(*v));
	return true;
}

/* Read the part of the stack from `addr` on into `room`. */
static bool read_further(const struct target *t, struct pending *p, uint64_t addr, uint8_t *room)
{
	if (addr % 8 || addr < p->sp || addr > p->hi - 16)
		return false;
	p->stack = room;
	p->base = addr;
	p->size = p->hi - addr < DEEP_READ ? p->hi - addr : DEEP_READ;
	if (!target_process_read(t->process, addr, room, p->size))
		return true;
	p->size = 0;
	return false;
}

/* A frame: the frame pointer of its caller and the address to return to. */
static bool frame_at(const struct target *t, struct pending *p, uint64_t bp, uint8_t *room,
		     uint64_t *next, uint64_t *ret)
{
	if (stack_word(p, bp, next) && stack_word(p, bp + 8, ret))
		return true;
	return room && read_further(t, p, bp, room) && stack_word(p, bp, next) &&
	       stack_word(p, bp + 8, ret);
}

static bool add_pc(const struct target *t, struct pending *p, uint64_t pc)
{
	struct pcln_func func;

	if (p->npcs == SNAPSHOT_MAX_FRAMES) {
		p->truncated = true;
		return false;
	}
	if (!modules_func(t->modules, p->npcs ? pc - 1 : pc, &func)) {
		p->truncated = p->broken = true;
		return false;
	}
	p->pcs[p->npcs++] = pc;
	return true;
}

/* From the frame at `bp` of what runtime.cgocallback called to the next one of Go. */
static bool cross_callback(struct reader *r, struct pending *p, uint64_t *bp, uint8_t *room)
{
	uint64_t pc, word;

	*bp += r->callback.up;
	return frame_at(r->t, p, *bp - 8, room, &pc, &word) && pc && add_pc(r->t, p, pc);
}

/*
 * Follow the frame pointers. A function that stopped in its prologue (stack check, preemption) or
 * that makes no frame has not saved its caller's: then the return address is at the top of the
 * stack, and the frame pointer already belongs to the caller. What is not in what was read is read
 * into `room`, unless that is NULL.
 */
static void walk_stack(struct reader *r, struct pending *p, uint8_t *room)
{
	const struct target *t = r->t;
	uint64_t bp = p->bp, ret;

	p->npcs = 0;
	p->truncated = p->broken = false;
	if (!p->pc || !add_pc(t, p, p->pc))
		return;
	if (modules_pcsp(t->modules, p->pc) == 0 && stack_word(p, p->sp, &ret) &&
	    !add_pc(t, p, ret))
		return;
	while (bp) {
		uint64_t next;

		if (!frame_at(t, p, bp, room, &next, &ret)) {
			p->truncated = true;
			p->broken = bp % 8 || bp < p->sp || bp >= p->hi;
			return;
		}
		if (!ret || !add_pc(t, p, ret))
			return;
		if (next >= p->hi && ret - r->callback.lo < r->callback.hi - r->callback.lo) {
			if (cross_callback(r, p, &bp, room))
				continue;
			p->truncated = true;
			return;
		}
		if (next && next <= bp) { /* frames only go up */
			p->truncated = p->broken = true;
			return;
		}
		bp = next;
	}
}

static void read_pieces(struct reader *r, size_t n)
{
	target_process_read_pieces(r->t->process, r->pieces, n);
}

/* Read the structs of the unsettled ones of a batch. */
static void read_structs(struct reader *r, size_t n, uint8_t *into)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (!r->v[i].settled)
			r->pieces[k++] = (struct target_piece){r->v[i].addr, into + i * r->g_size,
							       r->g_size, false};
	}
	read_pieces(r, k);
	/* one that cannot be read is no goroutine: its status of 0 says so */
	for (size_t i = 0; i < k; i++) {
		if (!r->pieces[i].done)
			memset(r->pieces[i].buf, 0, r->g_size);
	}
}

static void read_stacks(struct reader *r, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];

		p->size = 0;
		if (p->settled || !p->live || !p->pc)
			continue;
		p->stack = r->stacks + i * FIRST_READ;
		p->base = p->sp;
		p->size = p->hi - p->sp < FIRST_READ ? p->hi - p->sp : FIRST_READ;
		r->pieces[k++] = (struct target_piece){p->sp, p->stack, p->size, false};
	}
	read_pieces(r, k);
	k = 0;
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];

		if (p->size && !r->pieces[k++].done)
			p->size = 0;
	}
}

/* Read more of a stack whose walk did not reach its end. */
static void walk_deep(struct reader *r, struct pending *p)
{
	if (p->sp + p->size < p->hi && !p->broken && p->npcs < SNAPSHOT_MAX_FRAMES)
		walk_stack(r, p, r->deep);
}

/* Has a goroutine stayed where it was between two reads of its struct? */
static bool same_place(const struct layout *l, const uint8_t *a, const uint8_t *b)
{
	return status_of(l, a) == status_of(l, b) && get64(a, l->g.goid) == get64(b, l->g.goid) &&
	       get64(a, l->g.stack_hi) == get64(b, l->g.stack_hi) &&
	       get64(a, l->g.sched_sp) == get64(b, l->g.sched_sp) &&
	       get64(a, l->g.sched_pc) == get64(b, l->g.sched_pc) &&
	       get64(a, l->g.sched_bp) == get64(b, l->g.sched_bp) &&
	       get64(a, l->g.syscallpc) == get64(b, l->g.syscallpc);
}

/* One attempt at the unsettled ones of a batch. */
static void attempt(struct reader *r, size_t n, bool last)
{
	const struct layout *l = &r->t->layout;
	uint64_t time_ns = now_ns();

	read_structs(r, n, r->g_bytes);
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];

		if (p->settled)
			continue;
		p->time_ns = time_ns;
		p->g = r->g_bytes + i * r->g_size;
		p->live = is_live(l, p->g);
		if (p->live)
			find_stack(r->t, p);
	}
	read_stacks(r, n);
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];

		if (p->settled || !p->live)
			continue;
		walk_stack(r, p, NULL);
		if (p->truncated)
			walk_deep(r, p);
	}
	read_structs(r, n, r->g_again);
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];

		if (p->settled)
			continue;
		p->settled = !p->live || same_place(l, p->g, r->g_again + i * r->g_size);
		/* it may have run and come back to the same place while its stack was read */
		if (p->broken && p->live && !last)
			p->settled = false;
	}
}

static int keep(struct reader *r, const struct pending *p)
{
	const struct layout *l = &r->t->layout;
	struct snapshot *s = r->s;
	bool stack = p->settled && p->npcs;

	if (s->ng == r->room_g) {
		struct snapshot_g *v;

		r->room_g = r->room_g ? 2 * r->room_g : 256;
		v = realloc(s->g, r->room_g * sizeof(*v));
		if (!v)
			return -ENOMEM;
		s->g = v;
	}
	if (r->npool + SNAPSHOT_MAX_FRAMES > r->room_pool) {
		uint64_t *v;

		r->room_pool = r->room_pool ? 2 * r->room_pool : 16 * SNAPSHOT_MAX_FRAMES;
		v = realloc(s->pool, r->room_pool * sizeof(*v));
		if (!v)
			return -ENOMEM;
		s->pool = v;
	}
	s->g[s->ng++] = (struct snapshot_g){
		.time_ns = p->time_ns,
		.addr = p->addr,
		.goid = get64(p->g, l->g.goid),
		.m = get64(p->g, l->g.m),
		.wait_since = get64(p->g, l->g.waitsince),
		.parent_goid = get64(p->g, l->g.parent_goid),
		.gopc = get64(p->g, l->g.gopc),
		.startpc = get64(p->g, l->g.startpc),
		.status = status_of(l, p->g),
		.wait_reason = p->g[l->g.waitreason],
		.truncated = stack && p->truncated,
		.npcs = stack ? p->npcs : 0,
		/* an index until the pool has its final place */
		.pcs = (const uint64_t *)(uintptr_t)r->npool,
	};
	if (stack) {
		memcpy(s->pool + r->npool, p->pcs, p->npcs * sizeof(*p->pcs));
		r->npool += p->npcs;
	}
	return 0;
}

static int read_batch(struct reader *r, const uint64_t *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		r->v[i].addr = addrs[i];
		r->v[i].settled = false;
	}
	for (int i = 0; i < ATTEMPTS; i++)
		attempt(r, n, i == ATTEMPTS - 1);
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];
		int err;

		if (!p->live)
			continue;
		/* what never stood still is kept as it was at the last look, without its stack */
		r->s->unstable += !p->settled;
		err = keep(r, p);
		if (err)
			return err;
	}
	return 0;
}

static int read_all(struct reader *r, const uint64_t *addrs, size_t n, struct error *e)
{
	r->v = calloc(BATCH, sizeof(*r->v));
	r->g_bytes = malloc(BATCH * r->g_size);
	r->g_again = malloc(BATCH * r->g_size);
	r->stacks = malloc(BATCH * FIRST_READ);
	r->deep = malloc(DEEP_READ);
	r->pieces = calloc(BATCH, sizeof(*r->pieces));
	if (!r->v || !r->g_bytes || !r->g_again || !r->stacks || !r->deep || !r->pieces)
		return out_of_memory(e);
	for (size_t i = 0; i < n; i += BATCH) {
		if (read_batch(r, addrs + i, n - i < BATCH ? n - i : BATCH))
			return out_of_memory(e);
	}
	return 0;
}

static int read_goroutines(struct snapshot *s, struct target *t, struct error *e)
{
	struct reader r = {.t = t, .s = s, .g_size = g_head(&t->layout)};
	uint64_t n, array, *addrs;
	int err;

	callback_find(&r.callback, t->pcln);
	/* the length first, then the array: it is published the other way round (allgadd) */
	err = read_variable(t, t->globals.allglen, "runtime.allglen", &n, sizeof(n), e);
	if (!err)
		err = read_variable(t, t->globals.allgptr, "runtime.allgptr", &array, sizeof(array),
				    e);
	if (err)
		return err;
	if (!n || n > MAX_GOROUTINES)
		return senseless(t, "runtime.allglen", e);
	addrs = malloc(n * sizeof(*addrs));
	if (!addrs)
		return out_of_memory(e);
	err = target_process_read(t->process, array, addrs, n * sizeof(*addrs));
	if (err)
		err = unreadable(t, "runtime.allgptr", err, e);
	else
		err = read_all(&r, addrs, n, e);
	for (size_t i = 0; i < s->ng; i++)
		s->g[i].pcs = s->pool + (uintptr_t)s->g[i].pcs;
	free(r.v);
	free(r.g_bytes);
	free(r.g_again);
	free(r.stacks);
	free(r.deep);
	free(r.pieces);
	free(addrs);
	return err;
}

int snapshot_take(struct snapshot *s, struct target *t, struct error *e)
{
	int err;

	memset(s, 0, sizeof(*s));
	s->begin_ns = now_ns();
	err = read_processors(s, t, e);
	if (!err)
		err = read_threads(s, t, e);
	if (!err)
		err = find_threads(s, t, e);
	/*
	 * A goroutine's status changes just behind its probe. From begin_ns on the probes' records
	 * count; what one told before must be there to see.
	 */
	if (!err)
		err = target_settle(t->process, e);
	if (!err)
		err = read_goroutines(s, t, e);
	if (!err && !target_process_alive(t->process))
		err = unreadable(t, "its memory", -ESRCH, e);
	s->end_ns = now_ns();
	if (err)
		snapshot_free(s);
	return err;
}

void snapshot_free(struct snapshot *s)
{
	free(s->g);
	free(s->m);
	free(s->p);
	free(s->pool);
	memset(s, 0, sizeof(*s));
}
