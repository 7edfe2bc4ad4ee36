// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/plant.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "user/inline/afford.h"
#include "user/inline/caller.h"
#include "user/inline/memory.h"
#include "user/inline/remote.h"
#include "user/inline/room.h"
#include "user/inline/tsc.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define PAGE 4096U
#define CALL 0xe8
#define BREAKPOINT 0xcc
#define UNMAP_TRIES 100
#define STACK_LOOK (64U << 10) /* signal stacks of Go are 32 KiB */
#define LOCKED_MOST (8U << 20) /* of memory that is populated as soon as it is mapped */

struct plant_owner plant_owner(void)
{
	struct plant_owner o = {.pid = getpid()};
	unsigned long long start = 0;
	char line[1024], *at = NULL;
	FILE *f = fopen("/proc/self/stat", "re");

	if (f && fgets(line, sizeof(line), f))
		at = strrchr(line, ')');
	/* field 22; the name, field 2, may contain anything */
	if (at)
		sscanf(at + 2,
		       "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
		       "%*d %*d %*d %llu",
		       &start);
	if (f)
		fclose(f);
	o.start = start;
	return o;
}

int plant_possible(const struct target_process *p, struct error *e)
{
	int err = tsc_usable(e);

	if (!err && target_process_filtered(p))
		err = error_set(e, EXIT_TARGET, -EPERM,
				"it has a seccomp filter, which may forbid the system calls that "
				"takes");
	if (!err && target_thread_shadowed(p, p->pid))
		err = error_set(
			e, EXIT_TARGET, -ENOTSUP,
			"it has a shadow stack (CET, /proc/%d/status: x86_Thread_features), "
			"with which its threads cannot make system calls for gscope",
			(int)p->pid);
	return err;
}

int plant_open_memory(struct planted *d, const struct target_process *p, struct error *e)
{
	d->mem_fd = openat(p->proc_fd, "mem", O_RDWR | O_CLOEXEC);
	if (d->mem_fd < 0)
		return error_set(
			e, EXIT_TARGET, -errno, "its memory cannot be written: %s%s",
			strerror(errno),
			errno == EACCES ? " (that of another user takes CAP_DAC_OVERRIDE)" : "");
	return 0;
}

static int put(const struct planted *d, uint64_t addr, const void *data, size_t size)
{
	ssize_t n = pwrite(d->mem_fd, data, size, (off_t)addr);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

/* --- memory in the process ---------------------------------------------------------------- */

static int64_t remote_mmap(struct caller *c, uint64_t addr, uint64_t size, int prot, int flags,
			   int fd)
{
	const uint64_t args[7] = {
		SYS_mmap, addr, size, (uint64_t)prot, (uint64_t)flags, (uint64_t)(int64_t)fd, 0};

	return caller_call(c, args);
}

static int64_t remote_munmap(struct caller *c, uint64_t addr, uint64_t size)
{
	const uint64_t args[7] = {SYS_munmap, addr, size};

	return caller_call(c, args);
}

/* Descriptor `fd` of the process, which has just made it: proven, sealed, mapped here. */
static int take_shared(struct planted *d, const struct memory_kind *kind, int fd, uint64_t size)
{
	void *at = NULL;
	struct stat st;
	int err;

	d->shared_fd = memory_take(kind, d->p->pidfd, fd, size);
	if (d->shared_fd < 0)
		return d->shared_fd;
	err = fstat(d->shared_fd, &st) ? -errno : memory_map(&at, d->shared_fd, size);
	if (err)
		return err;
	d->own->dev = st.st_dev;
	d->own->inode = st.st_ino;
	d->h = at;
	d->mapped = size;
	return 0;
}

/* A memory file of the process, by a name that is in memory it has to spare: its descriptor there. */
static int64_t create_memory(struct planted *d, struct caller *c, unsigned int flags)
{
	const uint64_t create[7] = {SYS_memfd_create, c->way.lo, flags};
	uint8_t before[sizeof(INLINE_NAME)];
	int64_t fd;
	int err = target_process_read(d->p, c->way.lo, before, sizeof(before));

	if (!err)
		err = put(d, c->way.lo, INLINE_NAME, sizeof(INLINE_NAME));
	if (err)
		return err;
	fd = caller_call(c, create);
	put(d, c->way.lo, before, sizeof(before));
	return fd;
}

/*
 * It has that file for a moment only; mapped there and here. Its threads run on: what is believed of it is what is
 * seen through a descriptor of our own. Before it is mapped there it says what is going to be, so that all can be
 * found and taken away, however far we came.
 */
static int64_t map_rings(struct planted *d, struct caller *c)
{
	uint64_t shut[7] = {SYS_close};
	struct memory_kind kind;
	int64_t addr, fd;
	int err = memory_kind(&kind);

	if (err)
		return err;
	fd = create_memory(d, c, kind.flags);
	if (fd < 0)
		return fd;
	shut[1] = (uint64_t)fd;
	addr = take_shared(d, &kind, (int)fd, d->own->size);
	if (!addr) {
		*d->h = *d->own;
		addr = remote_mmap(c, 0, d->own->size, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_NORESERVE, (int)fd);
		d->own->base = addr < 0 ? 0 : (uint64_t)addr;
		d->h->base = d->own->base;
	}
	/* the process may have put one of its own there */
	if (d->shared_fd >= 0 && !memory_is_still(d->p->pidfd, (int)fd, d->shared_fd))
		caller_call(c, shut);
	return addr;
}

static int refuse(struct error *e, int err, const char *what)
{
	return error_set(e, EXIT_TARGET, err, "%s is not possible in it: %s", what, strerror(-err));
}

/* What a caller that has failed says: why the thread did not make the call. */
static int refuse_call(const struct caller *c, int err, const char *what, struct error *e)
{
	if (err != -EBUSY || !c->r.held_up[0])
		return refuse(e, err, what);
	return error_set(e, EXIT_TARGET, err, "%s, and does not go on", c->r.held_up);
}

/*
 * Memory that is locked as it is mapped (mlockall) is populated at once: then rings are small, and where
 * there would be too many there are none. A page shows whether it is.
 */
static int fit_locked(struct planted *d, struct caller *c, struct inline_plan *plan,
		      struct error *e)
{
	uint64_t before = afford_locked(d->p);
	int64_t page = remote_mmap(c, 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	bool locked = afford_locked(d->p) > before;

	if (page < 0)
		return refuse_call(c, (int)page, "memory", e);
	remote_munmap(c, (uint64_t)page, PAGE);
	if (!locked || inline_fit(&plan->geometry, LOCKED_MOST))
		return 0;
	return error_set(e, EXIT_TARGET, -ENOSPC,
			 "it locks its memory (mlockall), and %" PRIu64
			 " KiB are too much to be populated at once",
			 inline_size(&plan->geometry) >> 10);
}

/* Both kinds of memory, by one thread; on an error there is neither. */
static int map_all(struct planted *d, struct caller *c, struct error *e)
{
	const struct inline_header *h = d->own;
	int64_t base = map_rings(d, c), got;

	if (base < 0)
		return refuse_call(c, (int)base, "shared memory", e);
	got = remote_mmap(c, h->stubs, h->stubs_size, PROT_READ | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1);
	if (got == (int64_t)h->stubs)
		return 0;
	if (got > 0) {
		/* Linux before 4.17 takes the address for a wish */
		remote_munmap(c, (uint64_t)got, h->stubs_size);
		got = -EEXIST;
	}
	remote_munmap(c, (uint64_t)base, h->size);
	return refuse_call(c, (int)got, "memory for code", e);
}

static int find_room(const struct target_process *p, const struct inline_plan *plan, uint64_t size,
		     uint64_t *addr, struct error *e)
{
	struct target_map *maps;
	size_t n;
	int err = target_process_maps(p, &maps, &n, e);

	if (err)
		return err;
	err = room_find(maps, n, plan->lo, plan->hi, size, addr);
	free(maps);
	return err ? error_set(e, EXIT_TARGET, err,
			       "there is no free memory within 2 GB of its code") :
		     0;
}

/* The stubs' code, and the operands that lead to it. */
static int write_stubs(struct planted *d, struct inline_plan *plan, const struct stub_options *o,
		       struct error *e)
{
	struct x86_code c = {.room = d->own->stubs_size, .addr = d->own->stubs};
	int err;

	c.bytes = malloc(c.room);
	if (!c.bytes)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	err = stubs_write(&c, o, plan->stub, plan->n);
	if (!err)
		err = put(d, c.addr, c.bytes, c.n);
	free(c.bytes);
	if (err)
		return refuse(e, err, "code of gscope's");
	for (size_t i = 0; i < plan->n; i++)
		plan->operand[i].planted =
			(int32_t)(plan->stub[i].entry - (plan->operand[i].pc + 5));
	return 0;
}

/* --- operands ----------------------------------------------------------------------------- */

/* An operand becomes `to` if it is `from`: 0, -ESTALE if it is neither, or why not. */
static int change(const struct planted *d, uint64_t pc, int32_t from, int32_t to, bool back)
{
	uint8_t code[5];
	int32_t is;
	int err = target_process_read(d->p, pc, code, sizeof(code));

	if (err)
		return err;
	memcpy(&is, code + 1, sizeof(is));
	/* a breakpoint, somebody else's, is not in the way of putting back what is behind it */
	if ((code[0] != CALL && (code[0] != BREAKPOINT || !back)) || (is != from && is != to))
		return -ESTALE;
	if (is == to)
		return 0;
	err = put(d, pc + 1, &to, sizeof(to));
	if (!err)
		err = target_process_read(d->p, pc + 1, &is, sizeof(is));
	if (!err && is != to)
		err = -EIO;
	return err;
}

static void set_state(struct planted *d, enum inline_state state)
{
	d->own->state = state;
	/* for those who find it; of what was found itself there is no more to say */
	if (d->h)
		__atomic_store_n(&d->h->state, state, __ATOMIC_SEQ_CST);
}

/* Calls that are not as they were planned are left alone, unless all are so. */
static int plant_operands(struct planted *d)
{
	uint32_t planted = 0;
	int err = 0;

	set_state(d, INLINE_PLANTED);
	for (uint32_t i = 0; i < d->own->nsites && !err; i++) {
		struct inline_operand *s = &d->own->site[i];

		err = change(d, s->pc, s->original, s->planted, false);
		planted += !err;
		if (err == -ESTALE) {
			s->planted = s->original;
			d->h->site[i] = *s;
			err = 0;
		}
	}
	return !err && !planted ? -ESTALE : err;
}

/* All that can be; the first error that was not the process's end. */
static int restore_operands(struct planted *d, uint64_t *where)
{
	int first = 0;

	for (uint32_t i = 0; i < d->own->nsites; i++) {
		const struct inline_operand *s = &d->own->site[i];
		int err = inline_is_redirected(s) ?
				  change(d, s->pc, s->planted, s->original, true) :
				  0;

		if (err && !first) {
			first = err;
			*where = s->pc;
		}
	}
	if (!first)
		set_state(d, INLINE_RESTORED);
	return first;
}

/* All of them run on: the longest pause is kept. */
static void resume(struct planted *d, struct remote *r)
{
	uint64_t ns;

	d->threads = (uint32_t)r->n;
	ns = remote_resume(r);
	if (ns > d->pause_ns)
		d->pause_ns = ns;
}

int plant_restore(struct planted *d, struct error *e)
{
	uint64_t where = 0;
	struct remote r;
	int err;

	/* what would have redirected calls came not that far */
	if (d->own->state == INLINE_EMPTY)
		return 0;
	err = remote_stop_all(&r, d->p, &d->wait, e);
	if (err == -ESRCH)
		return 0; /* what ended needs nothing */
	if (err)
		return err;
	err = restore_operands(d, &where);
	resume(d, &r);
	if (!err || err == -ESRCH)
		return 0;
	return error_set(e, EXIT_FAILED, err,
			 "the call at 0x%" PRIx64 " of process %d is not as gscope made it: it was "
			 "left alone (%s)",
			 where, (int)d->p->pid, strerror(-err));
}

/* --- planting ----------------------------------------------------------------------------- */

/* Stubs: private memory that is executed and belongs to no file; the kernel may have joined it with more. */
static bool is_stubs(const struct target_map *m, const struct inline_header *h)
{
	return m->start <= h->stubs && m->end >= h->stubs + h->stubs_size && !m->inode &&
	       !strcmp(m->prot, "r-xp");
}

static bool is_rings(const struct target_map *m, const struct inline_header *h)
{
	return m->start == h->base && m->end == h->base + h->size && m->dev == h->dev &&
	       m->inode == h->inode && !m->offset;
}

/* What of both the process has mapped. */
static void look_at_maps(const struct planted *d, const struct target_process *p, bool *rings,
			 bool *stubs)
{
	struct target_map *maps;
	struct error e;
	size_t n;

	*rings = *stubs = false;
	if (target_process_maps(p, &maps, &n, &e))
		return;
	for (size_t i = 0; i < n; i++) {
		*rings |= is_rings(&maps[i], d->own);
		*stubs |= is_stubs(&maps[i], d->own);
	}
	free(maps);
}

bool plant_is_mapped(const struct planted *d, const struct target_process *p)
{
	bool rings, stubs;

	look_at_maps(d, p, &rings, &stubs);
	/* stubs come after the rings, and go before them */
	return rings && (stubs || d->own->state != INLINE_PLANTED);
}

bool plant_find_rings(const struct planted *d)
{
	struct target_map *maps;
	struct error e;
	size_t n;

	if (d->own->base || !d->own->inode)
		return d->own->base;
	if (target_process_maps(d->p, &maps, &n, &e))
		return false;
	for (size_t i = 0; i < n && !d->own->base; i++)
		if (maps[i].dev == d->own->dev && maps[i].inode == d->own->inode &&
		    maps[i].end - maps[i].start == d->own->size)
			d->own->base = maps[i].start;
	free(maps);
	return d->own->base;
}

/* That by which all is found goes last. */
static int unmap_both(const struct planted *d, struct caller *c)
{
	const struct inline_header *h = d->own;
	int64_t got = 0;
	bool rings, stubs;

	look_at_maps(d, d->p, &rings, &stubs);
	if (stubs)
		got = remote_munmap(c, h->stubs, h->stubs_size);
	return (int)(got ? got : remote_munmap(c, h->base, h->size));
}

/* The stubs, and then all that is needed to undo what comes. */
static int write_all(struct planted *d, struct inline_plan *plan, const struct stub_options *o,
		     struct error *e)
{
	struct stub_options options = *o;
	int err;

	options.base = d->own->base;
	options.geometry = plan->geometry;
	err = write_stubs(d, plan, &options, e);
	if (err)
		return err;
	memcpy(d->own->site, plan->operand, plan->n * sizeof(*plan->operand));
	d->own->nsites = (uint32_t)plan->n;
	*d->h = *d->own;
	/* what is mapped there is what was proven, whatever the process did with its descriptors */
	if (!plant_is_mapped(d, d->p))
		return refuse(e, -EPERM, "shared memory");
	return 0;
}

static void fill_header(struct planted *d, const struct inline_plan *plan, uint64_t stubs,
			uint64_t stubs_size, const struct plant_owner *owner)
{
	*d->own = (struct inline_header){
		.magic = INLINE_MAGIC,
		.owner = owner->pid,
		.owner_start = owner->start,
		.target = d->p->pid,
		.stubs = stubs,
		.stubs_size = stubs_size,
		.size = inline_size(&plan->geometry),
		.enabled = !plan->off,
		.stack_limit = plan->stack_limit,
	};
}

/* Map and write everything, with one thread stopped: no code leads there yet. */
static int prepare(struct planted *d, struct inline_plan *plan, const struct stub_options *o,
		   const struct plant_owner *owner, struct error *e)
{
	uint64_t stubs = 0, size = (stubs_room(plan->n) + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	struct caller c;
	int err = find_room(d->p, plan, size, &stubs, e);

	if (!err)
		err = caller_stop(&c, d->p, d->layout, d->mem_fd, &d->wait, e);
	if (err)
		return err;
	err = fit_locked(d, &c, plan, e);
	if (!err) {
		fill_header(d, plan, stubs, size, owner);
		err = map_all(d, &c, e);
	}
	if (!err) {
		err = write_all(d, plan, o, e);
		if (err)
			unmap_both(d, &c);
	}
	caller_release(&c);
	return err;
}

/* All threads are stopped while operands change. */
static int redirect(struct planted *d, struct error *e)
{
	uint64_t where;
	struct remote r;
	int err = remote_stop_all(&r, d->p, &d->wait, e);

	if (err)
		return err;
	err = plant_operands(d);
	if (err) {
		error_set(e, EXIT_TARGET, err, "its code cannot be changed: %s", strerror(-err));
		restore_operands(d, &where);
	}
	resume(d, &r);
	return err;
}

int plant(struct planted *out, const struct target_process *p, struct inline_plan *plan,
	  const struct stub_options *o, const struct plant_owner *owner,
	  const struct remote_wait *wait, struct inline_header *own, struct error *e)
{
	int err;

	*out = (struct planted){.p = p,
				.layout = o->layout,
				.wait = *wait,
				.own = own,
				.mem_fd = -1,
				.shared_fd = -1};
	err = plant_open_memory(out, p, e);
	if (!err)
		err = prepare(out, plan, o, owner, e);
	if (!err) {
		err = redirect(out, e);
		/* what undoes it is not to be given up */
		out->wait.cancel_fd = -1;
		/* code that still leads there needs it */
		if (err && out->own->state != INLINE_PLANTED)
			plant_unmap(out, NULL);
	}
	if (err)
		plant_close(out);
	return err;
}

/* --- leaving ------------------------------------------------------------------------------ */

/*
 * Whether word `i` of what is at `sp` is where a signal handler returns to, in the frame the kernel
 * made for it (struct rt_sigframe): the same number is left behind on stacks in many other places,
 * where it stays for as long as nothing else is written there.
 */
static bool is_signal_frame(const uint64_t *words, size_t i, size_t n, uint64_t sp)
{
	const size_t to_segments = 2, to_stack = 19, to_stack_size = 17;
	uint64_t at = sp + 8 * i, stack, size;

	if (i < to_stack || i + to_segments >= n)
		return false;
	/* CS, GS, FS, SS of a program of 64 bits */
	if ((words[i + to_segments] & 0xffff00000000ffff) != 0x002b000000000033)
		return false;
	/* on a stack for signals other than the one in use it is of one that has returned */
	stack = words[i - to_stack];
	size = words[i - to_stack_size];
	return at - stack >= size || sp - stack < size;
}

/* Whether a thread executes a stub, or a signal handler that interrupted one. */
static bool is_inside(const struct planted *d, const struct remote *r, size_t thread,
		      uint64_t *stack)
{
	const struct inline_header *h = d->own;
	struct user_regs_struct regs;
	size_t words = 0;
	uint64_t sp;

	if (remote_registers(r, thread, &regs))
		return true;
	if (regs.rip - h->stubs < h->stubs_size)
		return true;
	sp = regs.rsp & ~7ULL;
	for (uint64_t at = sp, end = at + STACK_LOOK; at < end;) {
		uint64_t next = (at | (PAGE - 1)) + 1;
		size_t size = (next < end ? next : end) - at;

		if (target_process_read(d->p, at, stack + words, size))
			break;
		words += size / 8;
		at += size;
	}
	for (size_t i = 0; i < words; i++)
		if (stack[i] - h->stubs < h->stubs_size && is_signal_frame(stack, i, words, sp))
			return true;
	return false;
}

/*
 * Have a look at each thread. One after the other: since the calls were put back nobody can get in,
 * nor can a thread that is born by now; so one that has been seen outside stays there. Those are struck out.
 */
static int look_at_all(struct planted *d, struct target_thread *v, size_t n, struct error *e)
{
	uint64_t *stack = malloc(STACK_LOOK + PAGE);
	int err = stack ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && (!err || err == -EBUSY); i++) {
		struct remote r;
		int got = v[i].tid ? remote_stop_thread(&r, d->p, v[i].tid, &d->wait, e) : -ESRCH;

		/* not the same as one that is inside */
		got = got == -EBUSY ? -EAGAIN : got;

		if (!got) {
			got = is_inside(d, &r, 0, stack) ? -EBUSY : 0;
			remote_resume(&r);
		}
		if (!got || got == -ESRCH)
			v[i].tid = 0;
		else
			err = got;
	}
	free(stack);
	return err;
}

static int wait_outside(struct planted *d, struct error *e)
{
	const struct timespec pause = {.tv_nsec = 3000000};
	struct target_thread *v;
	size_t n;
	int err = target_process_threads(d->p, NULL, &v, &n, e);

	if (err)
		return err;
	err = -EBUSY;
	for (int i = 0; i < UNMAP_TRIES && err == -EBUSY; i++) {
		if (i)
			nanosleep(&pause, NULL);
		err = look_at_all(d, v, n, e);
	}
	free(v);
	return err;
}

int plant_unmap(struct planted *d, struct error *e)
{
	struct error why = {.text = ""};
	struct caller c;
	/* where calls never led, no thread can be */
	int err = d->own->state == INLINE_EMPTY ? 0 : wait_outside(d, &why);

	if (!err && !plant_is_mapped(d, d->p))
		return 0; /* the process has unmapped it itself, or ended */
	if (!err && !d->layout)
		err = -ENOTSUP;
	if (!err) {
		err = caller_stop(&c, d->p, d->layout, d->mem_fd, &d->wait, &why);
		if (!err) {
			err = unmap_both(d, &c);
			if (err)
				refuse_call(&c, err, "unmapping", &why);
			caller_release(&c);
		}
		err = err == -EBUSY ? -EAGAIN : err;
	}
	/* what ended needs nothing */
	if (!err || err == -ESRCH)
		return 0;
	return error_set(e, EXIT_FAILED, err,
			 "%" PRIu64
			 " KiB of gscope's stay in process %d, which is harmless: %.300s",
			 (d->own->stubs_size + d->own->size) >> 10, (int)d->p->pid,
			 why.text[0] ? why.text : strerror(-err));
}

void plant_set_owner(struct planted *d, const struct plant_owner *owner)
{
	d->own->owner = owner->pid;
	d->own->owner_start = owner->start;
	put(d, d->own->base + offsetof(struct inline_header, owner), &d->own->owner,
	    sizeof(d->own->owner));
	put(d, d->own->base + offsetof(struct inline_header, owner_start), &d->own->owner_start,
	    sizeof(d->own->owner_start));
}

void plant_close(struct planted *d)
{
	memory_unmap(d->h, d->mapped);
	if (d->shared_fd >= 0)
		close(d->shared_fd);
	if (d->mem_fd >= 0)
		close(d->mem_fd);
	*d = (struct planted){.mem_fd = -1, .shared_fd = -1};
}
