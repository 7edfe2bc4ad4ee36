// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/soak/kill.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf/control.h"
#include "user/base/clock.h"
#include "user/inline/engine.h"
#include "user/inline/plant.h"
#include "user/inline/stray.h"
#include "user/target/target.h"

#define WINDOW_US 10000
#define PATIENCE_NS 120000000000ULL

enum victim { TRACER, HELPER, BOTH, VICTIMS };
enum stage { BEGINS = 1, TRACES, ENDS, HAS_ENDED };

struct killing {
	const struct target *t;
	volatile int *stage; /* of the one that traces, which it shares with us */
	struct drand48_data random;
	uint64_t done[VICTIMS], early, late; /* killed before it was all there, and from then on */
	uint64_t changed, mapped, strays; /* what was left, each time it was */
	char wrong[256];
};

static long random_of(struct killing *k, long n)
{
	long x;

	lrand48_r(&k->random, &x);
	return x % n;
}

static void rest_us(long us)
{
	const struct timespec ts = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&ts, NULL);
}

static int drop(void *ctx, struct event_head *ev)
{
	(void)ctx;
	(void)ev;
	return 0;
}

/* What gscope does with a target, as far as this engine has to do with it. */
static void __attribute__((noreturn)) trace(const struct target *t, volatile int *stage)
{
	struct inline_start start = {.stack_limit = STACKS_OF_ALL};
	struct inline_engine *x;
	struct error e;
	int err = inline_open(&x, t, 0, 0, &e);

	if (!err) {
		start.m = merge_new(inline_rings(x));
		*stage = BEGINS;
		err = inline_plant(x, &start, &e);
	}
	if (!err) {
		*stage = TRACES;
		rest_us(3000);
		inline_pass(x, false);
		merge_emit(start.m, drop, NULL);
		*stage = ENDS;
		err = inline_end(x, &e);
	}
	*stage = HAS_ENDED;
	_exit(err ? 1 : 0);
}

static pid_t helper_of(pid_t tracer)
{
	char path[64];
	pid_t pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)tracer, (int)tracer);
	f = fopen(path, "re");
	if (f && fscanf(f, "%d", &pid) != 1)
		pid = 0;
	if (f)
		fclose(f);
	return pid;
}

/* Those that are orphans by now are ours. */
static void wait_for_all(void)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void kill_one(struct killing *k, pid_t tracer, enum victim who)
{
	pid_t helper = helper_of(tracer);
	bool first = random_of(k, 2);

	if (*k->stage < TRACES)
		k->early++;
	else
		k->late++;
	if (helper && who != TRACER && first)
		kill(helper, SIGKILL);
	if (who != HELPER)
		kill(tracer, SIGKILL);
	if (helper && who != TRACER && !first)
		kill(helper, SIGKILL);
	k->done[who]++;
}

/* --- what is left ----------------------------------------------------------------------------- */

static bool differs(const struct target_process *p, const struct target_map *m)
{
	static uint8_t memory[1 << 16], file[1 << 16];

	for (uint64_t at = m->start; at < m->end; at += sizeof(memory)) {
		size_t n = m->end - at < sizeof(memory) ? m->end - at : sizeof(memory);
		ssize_t got = pread(p->exe_fd, file, n, (off_t)(m->offset + (at - m->start)));

		if (got <= 0 || target_process_read(p, at, memory, (size_t)got) ||
		    memcmp(memory, file, (size_t)got) != 0)
			return true;
	}
	return false;
}

/* Its code is not what its file has. */
static bool is_changed(const struct target_process *p)
{
	struct target_map *maps;
	bool changed = false;
	struct error e;
	size_t n;

	if (target_process_maps(p, &maps, &n, &e))
		return true;
	for (size_t i = 0; i < n && !changed; i++)
		if (maps[i].prot[2] == 'x' && !strcmp(maps[i].path, p->exe))
			changed = differs(p, &maps[i]);
	free(maps);
	return changed;
}

/* What is mapped of gscope's, the first of it in `what`. */
static bool is_mapped(const struct target_process *p, char *what, size_t size)
{
	struct target_map *maps;
	bool found = false;
	struct error e;
	size_t n;

	if (target_process_maps(p, &maps, &n, &e))
		return true;
	for (size_t i = 0; i < n && !found; i++) {
		found = strstr(maps[i].path, INLINE_NAME) ||
			(!strcmp(maps[i].prot, "r-xp") && !maps[i].path[0]);
		if (found)
			snprintf(what, size, "%" PRIx64 "-%" PRIx64 " %s %.100s", maps[i].start,
				 maps[i].end, maps[i].prot, maps[i].path);
	}
	free(maps);
	return found;
}

/* A thread that nobody traces, and that stands still. */
static pid_t stopped_thread(const struct target_process *p)
{
	struct target_thread *v;
	pid_t tid = 0;
	struct error e;
	size_t n;

	if (target_process_threads(p, NULL, &v, &n, &e))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (v[i].state == 't' || v[i].state == 'T')
			tid = v[i].tid;
	free(v);
	return tid;
}

static void failed(struct killing *k, const char *what, const char *why)
{
	snprintf(k->wrong, sizeof(k->wrong), "%s: %.200s", what, why);
}

/* What is there when all that could put it back has ended; and that detach does. */
static void look(struct killing *k)
{
	const struct remote_wait wait = {.limit_ns = 10 * REMOTE_LIMIT_NS, .cancel_fd = -1};
	const struct target_process *p = k->t->process;
	char what[160] = "";
	bool changed = is_changed(p), mapped = is_mapped(p, what, sizeof(what));
	bool stray = stray_find(p) >= 0;
	struct error e = {.text = ""};
	int err;

	k->changed += changed;
	k->mapped += mapped;
	k->strays += stray;
	if (!target_process_alive(p)) {
		failed(k, "the process", "has ended");
		return;
	}
	if (stopped_thread(p)) {
		failed(k, "a thread", "stands still");
		return;
	}
	if (!changed && !mapped && !stray)
		return;
	err = inline_clean(p, &wait, &e);
	if (err < 0 || e.text[0])
		failed(k, "detach", e.text);
	else if (is_changed(p))
		failed(k, "detach", "the code is not as in the file");
	else if (is_mapped(p, what, sizeof(what)))
		failed(k, "detach leaves memory", what);
	else if (stray_find(p) >= 0)
		failed(k, "detach", "a descriptor stays");
}

/* --- again and again ---------------------------------------------------------------------------- */

static void kill_once(struct killing *k, unsigned int i)
{
	enum victim who = (enum victim)(i % VICTIMS);
	enum stage when = i / VICTIMS % 2 ? ENDS : BEGINS;
	uint64_t begin = now_ns();
	pid_t tracer;

	*k->stage = 0;
	tracer = fork();
	if (tracer < 0)
		err(1, "fork");
	if (!tracer)
		trace(k->t, k->stage);
	while (*k->stage < (int)when && now_ns() - begin < PATIENCE_NS)
		rest_us(50);
	rest_us(random_of(k, WINDOW_US));
	kill_one(k, tracer, who);
	wait_for_all();
	look(k);
}

bool kills(pid_t pid, unsigned int n, unsigned int seed)
{
	struct killing k = {.wrong = ""};
	struct target *t;
	struct error e;
	unsigned int i;

	if (target_open(pid, &t, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return false;
	}
	k.t = t;
	k.stage = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (k.stage == MAP_FAILED)
		err(1, "mmap");
	srand48_r(seed, &k.random);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (i = 0; i < n && !k.wrong[0]; i++)
		kill_once(&k, i);
	printf("%u kills: %" PRIu64 " of the tracer, %" PRIu64 " of its helper, %" PRIu64
	       " of both; %" PRIu64 " before all was there, %" PRIu64
	       " later; code was left changed %" PRIu64 " times, memory %" PRIu64
	       ", a descriptor %" PRIu64 "%s\n",
	       i, k.done[TRACER], k.done[HELPER], k.done[BOTH], k.early, k.late, k.changed,
	       k.mapped, k.strays, k.wrong[0] ? "" : "; nothing after detach");
	if (k.wrong[0])
		fprintf(stderr, "kill %u: %s\n", i, k.wrong);
	target_close(t);
	return !k.wrong[0];
}
