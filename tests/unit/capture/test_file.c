// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include "tests/unit/capture/records.h"
#include "tests/unit/unit.h"
#include "user/base/io.h"
#include "user/capture/file_format.h"

static const struct capture_info info = {
	.features = CAPTURE_SYSTEM_WIDE,
	.mono_ns = 123,
	.wall_ns = 456,
	.cpus = 8,
	.host = "here",
	.kernel = "6.18.0 #1 SMP",
	.gscope = "1.0",
};

static char record_room[65536] __attribute__((aligned(8)));

static struct event_head *record(unsigned int type, unsigned int tail, unsigned int seed)
{
	return record_make(record_room, type, tail, seed);
}

static int memory_file(void)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static struct capture_writer *writer_on(int fd)
{
	struct capture_writer *w;

	CU_ASSERT_EQUAL_FATAL(capture_writer_open(&w, fd, &info, NULL, NULL), 0);
	return w;
}

static size_t size_of(int fd)
{
	struct stat st;

	CU_ASSERT_EQUAL_FATAL(fstat(fd, &st), 0);
	return (size_t)st.st_size;
}

/* A small capture of `chunks` chunks with 3 records each; returns its bytes. */
static char *small_capture(unsigned int chunks, size_t *n)
{
	int fd = memory_file();
	struct capture_writer *w = writer_on(fd);
	char *data;

	for (unsigned int i = 0; i < chunks; i++) {
		CU_ASSERT_EQUAL(capture_writer_add(w, record(EV_GO, 0, 3 * i), NULL), 0);
		CU_ASSERT_EQUAL(capture_writer_add(w, record(EV_STACK, i, 3 * i + 1), NULL), 0);
		CU_ASSERT_EQUAL(capture_writer_add(w, record(EV_STRING, i, 3 * i + 2), NULL), 0);
		CU_ASSERT_EQUAL(capture_writer_flush(w, NULL), 0);
	}
	CU_ASSERT_EQUAL(capture_writer_bytes(w), size_of(fd));
	CU_ASSERT_EQUAL(capture_writer_close(w, NULL), 0);
	*n = size_of(fd);
	data = malloc(*n);
	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	CU_ASSERT_EQUAL(io_read(fd, data, *n, n), 0);
	close(fd);
	return data;
}

struct outcome {
	int open_err, next_err;
	unsigned int records;
	bool in_order; /* the seeds of the records are 0, 1, 2... */
	char text[600]; /* the error or the damage; "" if neither */
};

static struct outcome read_fd(int fd)
{
	struct outcome o = {.in_order = true};
	const struct event_head *ev;
	struct capture_reader *r;
	struct error e = {0};

	o.open_err = capture_reader_open(&r, fd, &e);
	strcpy(o.text, e.text);
	if (o.open_err)
		return o;
	while ((o.next_err = capture_reader_next(r, &ev, &e)) > 0) {
		CU_ASSERT_TRUE(event_valid(ev));
		o.in_order &= ev->tid == o.records;
		o.records++;
	}
	/* the end stays the end */
	CU_ASSERT_EQUAL(capture_reader_next(r, &ev, NULL), 0);
	strcpy(o.text, e.text);
	if (capture_reader_damage(r)) {
		CU_ASSERT_EQUAL(o.next_err, 0);
		strcpy(o.text, capture_reader_damage(r));
	}
	capture_reader_close(r);
	return o;
}

static struct outcome read_bytes(const void *data, size_t n)
{
	struct outcome o;
	int fd = memory_file();

	CU_ASSERT_EQUAL(io_write(fd, data, n, NULL), 0);
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	o = read_fd(fd);
	close(fd);
	return o;
}

/* --- whole files -------------------------------------------------------------------------- */

#define ROUND_TRIP 40000

/* Enough records of every type for several chunks; the i-th one is made the same way twice. */
static struct event_head *nth_record(unsigned int i)
{
	unsigned int type = 1 + i % (EV_USER_END - 1);

	while (!event_type_name(type))
		type++;
	return record(type, i % 60, i);
}

static void check_round_trip(int fd)
{
	const struct event_head *ev;
	const struct capture_info *got;
	struct capture_reader *r;
	unsigned int different = 0, i;

	CU_ASSERT_EQUAL_FATAL(capture_reader_open(&r, fd, NULL), 0);
	got = capture_reader_info(r);
	CU_ASSERT_EQUAL(memcmp(got, &info, sizeof(info)), 0);
	for (i = 0; capture_reader_next(r, &ev, NULL) > 0; i++) {
		const struct event_head *want = nth_record(i);

		different += ev->size != want->size || memcmp(ev, want, want->size);
	}
	CU_ASSERT_EQUAL(i, ROUND_TRIP);
	CU_ASSERT_EQUAL(different, 0);
	CU_ASSERT_PTR_NULL(capture_reader_damage(r));
	capture_reader_close(r);
}

static void fill_round_trip(struct capture_writer *w)
{
	for (unsigned int i = 0; i < ROUND_TRIP; i++)
		CU_ASSERT_EQUAL_FATAL(capture_writer_add(w, nth_record(i), NULL), 0);
	CU_ASSERT_EQUAL(capture_writer_close(w, NULL), 0);
}

static void write_round_trip(int fd)
{
	fill_round_trip(writer_on(fd));
}

static void all_records_come_back(void)
{
	int fd = memory_file();

	write_round_trip(fd);
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	check_round_trip(fd);
	close(fd);
}

static void a_pipe_will_do(void)
{
	int fds[2], status;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	CU_ASSERT_FATAL(pid >= 0);
	if (!pid) {
		close(fds[0]);
		/* a writer must cope with a pipe that is full at the moment */
		fcntl(fds[1], F_SETFL, O_NONBLOCK);
		write_round_trip(fds[1]);
		_exit(CU_get_number_of_failures() != 0);
	}
	close(fds[1]);
	check_round_trip(fds[0]);
	close(fds[0]);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
}

static void an_empty_capture_is_whole(void)
{
	size_t n;
	char *data = small_capture(0, &n);
	struct outcome o = read_bytes(data, n);

	CU_ASSERT_EQUAL(n, sizeof(struct file_start));
	CU_ASSERT_EQUAL(o.open_err, 0);
	CU_ASSERT_EQUAL(o.next_err, 0);
	CU_ASSERT_EQUAL(o.records, 0);
	CU_ASSERT_STRING_EQUAL(o.text, "");
	free(data);
}

/* Chunks lie at any address. */
static struct chunk_header header_at(const char *p)
{
	struct chunk_header h;

	memcpy(&h, p, sizeof(h));
	return h;
}

static void expect_chunks(int fd, const unsigned int *records, size_t chunks)
{
	size_t n = size_of(fd), at = sizeof(struct file_start), i;
	char *data = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);

	CU_ASSERT_FATAL(data != MAP_FAILED);
	for (i = 0; at < n && i < chunks; i++) {
		const struct chunk_header h = header_at(data + at);

		CU_ASSERT_EQUAL(h.records, records[i]);
		CU_ASSERT_TRUE_FATAL(h.raw_size <= CHUNK_RAW_TARGET);
		at += sizeof(h) + h.packed_size;
	}
	CU_ASSERT_EQUAL(i, chunks);
	CU_ASSERT_EQUAL(at, n);
	munmap(data, n);
}

static void chunks_end_by_size_and_by_time(void)
{
	static const unsigned int records[] = {3640, 3640, 1, 3, 1}; /* 256 KiB / 72 = 3640.9 */
	struct event_head *h;
	int fd = memory_file();
	struct capture_writer *w = writer_on(fd);

	for (unsigned int i = 0; i < 2 * 3640 + 1; i++)
		CU_ASSERT_EQUAL(capture_writer_add(w, record(EV_GO, 0, i), NULL), 0);
	CU_ASSERT_EQUAL(capture_writer_flush(w, NULL), 0);
	expect_chunks(fd, records, 3);
	CU_ASSERT_EQUAL(capture_writer_flush(w, NULL), 0);
	expect_chunks(fd, records, 3);

	/* a record more than a second after the first begins a new chunk; an older one does not */
	h = record(EV_GO, 0, 0);
	h->time_ns = 5000000000;
	CU_ASSERT_EQUAL(capture_writer_add(w, h, NULL), 0);
	h->time_ns = 6000000000;
	CU_ASSERT_EQUAL(capture_writer_add(w, h, NULL), 0);
	h->time_ns = 1;
	CU_ASSERT_EQUAL(capture_writer_add(w, h, NULL), 0);
	h->time_ns = 6000000001;
	CU_ASSERT_EQUAL(capture_writer_add(w, h, NULL), 0);
	CU_ASSERT_EQUAL(capture_writer_close(w, NULL), 0);
	expect_chunks(fd, records, 5);
	close(fd);
}

static unsigned long threads(void)
{
	struct stat st;

	CU_ASSERT_EQUAL(stat("/proc/self/task", &st), 0);
	return st.st_nlink - 2;
}

/* No room for the stack of a thread that is to come. */
static void without_a_thread_it_works_as_well(void)
{
	unsigned long now = threads();
	pthread_attr_t before, huge;
	int fd = memory_file();
	struct capture_writer *w = writer_on(fd);

	CU_ASSERT_EQUAL(threads(), now + 1);
	CU_ASSERT_EQUAL(capture_writer_close(w, NULL), 0);
	/* one that has ended is shown for a moment */
	for (int i = 0; i < 1000 && threads() != now; i++)
		usleep(1000);
	CU_ASSERT_EQUAL(threads(), now);
	close(fd);
	fd = memory_file();

	CU_ASSERT_EQUAL_FATAL(pthread_getattr_default_np(&before), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_attr_init(&huge), 0);
	CU_ASSERT_EQUAL(pthread_attr_setstacksize(&huge, 1UL << 50), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_setattr_default_np(&huge), 0);
	w = writer_on(fd);
	CU_ASSERT_EQUAL(threads(), now);
	fill_round_trip(w);
	CU_ASSERT_EQUAL(pthread_setattr_default_np(&before), 0);
	pthread_attr_destroy(&huge);
	pthread_attr_destroy(&before);
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	check_round_trip(fd);
	close(fd);
}

static void the_writer_refuses_malformed_records(void)
{
	struct outcome o;
	int fd = memory_file();
	struct capture_writer *w = writer_on(fd);
	struct event_head *h = record(EV_GO, 0, 0);
	struct error e = {0};

	CU_ASSERT_EQUAL(capture_writer_add(w, h, NULL), 0);
	h->size += 8;
	CU_ASSERT_EQUAL(capture_writer_add(w, h, &e), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "malformed"));
	/* it is not a write error: the capture goes on */
	CU_ASSERT_EQUAL(capture_writer_add(w, record(EV_GO, 0, 1), NULL), 0);
	CU_ASSERT_EQUAL(capture_writer_close(w, NULL), 0);
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	o = read_fd(fd);
	CU_ASSERT_EQUAL(o.records, 2);
	CU_ASSERT_STRING_EQUAL(o.text, "");
	close(fd);
}

/* --- damaged files ------------------------------------------------------------------------ */

#define CHUNKS 4

/* Offsets at which the header and each chunk of a small capture ends. */
static void boundaries(const char *data, size_t n, size_t ends[CHUNKS + 1])
{
	size_t at = sizeof(struct file_start);

	for (int i = 0; i <= CHUNKS; i++) {
		ends[i] = at;
		if (i < CHUNKS)
			at += sizeof(struct chunk_header) + header_at(data + at).packed_size;
	}
	CU_ASSERT_EQUAL_FATAL(at, n);
}

static void a_cut_file_reads_to_its_last_whole_chunk(void)
{
	size_t n, ends[CHUNKS + 1];
	char *data = small_capture(CHUNKS, &n), where[32];
	unsigned int wrong = 0;

	boundaries(data, n, ends);
	for (size_t cut = 0; cut <= n; cut++) {
		struct outcome o = read_bytes(data, cut);
		int whole = -1;

		while (whole < CHUNKS && ends[whole + 1] <= cut)
			whole++;
		if (whole < 0) {
			wrong += o.open_err != -EINVAL || !*o.text;
			continue;
		}
		snprintf(where, sizeof(where), "damaged at byte %zu:", ends[whole]);
		wrong += o.open_err || o.next_err || o.records != 3 * (unsigned int)whole;
		wrong += !o.in_order;
		wrong += cut == ends[whole] ? *o.text != 0 : strncmp(o.text, where, strlen(where));
	}
	CU_ASSERT_EQUAL(wrong, 0);
	free(data);
}

/* A flipped bit is noticed wherever it is, and costs nothing that comes before its chunk. */
static void every_flipped_bit_is_reported(void)
{
	size_t n, ends[CHUNKS + 1];
	char *data = small_capture(CHUNKS, &n);
	unsigned int wrong = 0;

	boundaries(data, n, ends);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		struct outcome o;
		unsigned int before = 0;

		while (before < CHUNKS && ends[before + 1] <= bit / 8)
			before++;
		data[bit / 8] ^= (char)(1 << bit % 8);
		o = read_bytes(data, n);
		data[bit / 8] ^= (char)(1 << bit % 8);
		wrong += !*o.text;
		if (bit / 8 < ends[0])
			wrong += o.open_err != -EINVAL;
		else
			wrong += o.open_err || o.next_err || o.records != 3 * before || !o.in_order;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	free(data);
}

static void what_is_no_capture_is_refused(void)
{
	static const char text[] = "#!/bin/sh\n# a script much longer than the magic\n";
	struct outcome o;

	o = read_bytes("", 0);
	CU_ASSERT_EQUAL(o.open_err, -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "empty"));
	o = read_bytes(text, sizeof(text));
	CU_ASSERT_EQUAL(o.open_err, -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "no gscope capture"));
	o = read_fd(-1);
	CU_ASSERT_EQUAL(o.open_err, -EBADF);
}

static struct outcome with_start(void (*change)(struct file_start *s))
{
	size_t n;
	char *data = small_capture(1, &n);
	struct file_start *s = (void *)data;
	struct outcome o;

	change(s);
	s->header.crc = file_start_crc(s);
	o = read_bytes(data, n);
	free(data);
	return o;
}

static void other_version(struct file_start *s)
{
	s->header.version = 2;
}

static void other_feature(struct file_start *s)
{
	s->header.features |= 1ULL << 37;
}

static void huge_header(struct file_start *s)
{
	s->header.header_size = UINT32_MAX;
	s->header.meta_size = UINT32_MAX - sizeof(s->header);
}

static void evil_host(struct file_start *s)
{
	memset(s->meta.host, '\033', sizeof(s->meta.host));
}

static void what_a_later_version_wrote_is_named(void)
{
	struct outcome o;

	o = with_start(other_version);
	CU_ASSERT_EQUAL(o.open_err, -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "format version 2;"));
	o = with_start(other_feature);
	CU_ASSERT_EQUAL(o.open_err, -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "feature 37"));
	o = with_start(huge_header);
	CU_ASSERT_EQUAL(o.open_err, -EINVAL);
	o = with_start(evil_host);
	CU_ASSERT_EQUAL(o.open_err, 0);
	CU_ASSERT_EQUAL(o.records, 3);
}

static void text_of_the_header_is_printable(void)
{
	size_t n;
	char *data = small_capture(0, &n);
	struct file_start *s = (void *)data;
	struct capture_reader *r;
	int fd = memory_file();
	const char *host;

	evil_host(s);
	s->header.crc = file_start_crc(s);
	CU_ASSERT_EQUAL(io_write(fd, data, n, NULL), 0);
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	CU_ASSERT_EQUAL_FATAL(capture_reader_open(&r, fd, NULL), 0);
	host = capture_reader_info(r)->host;
	CU_ASSERT_EQUAL(strlen(host), sizeof(s->meta.host) - 1);
	CU_ASSERT_EQUAL(strspn(host, "?"), strlen(host));
	capture_reader_close(r);
	close(fd);
	free(data);
}

/* One chunk with the given raw content and, where not zero, the given claims. */
struct forgery {
	const char *kind;
	const void *raw;
	uint32_t raw_size, records;
	uint32_t claim_raw, claim_packed, claim_number;
	uint64_t first, last;
};

static struct outcome read_forged(const struct forgery *f)
{
	char *packed = malloc(ZSTD_compressBound(f->raw_size)), *data;
	struct chunk_header h = {.number = f->claim_number, .records = f->records};
	struct outcome o;
	size_t n, start;
	char *file = small_capture(0, &start);

	CU_ASSERT_PTR_NOT_NULL_FATAL(packed);
	n = ZSTD_compress(packed, ZSTD_compressBound(f->raw_size), f->raw, f->raw_size, 1);
	CU_ASSERT_FALSE_FATAL(ZSTD_isError(n));
	memcpy(h.magic, CHUNK_MAGIC, 4);
	memcpy(h.kind, f->kind ? f->kind : CHUNK_EVENTS, 4);
	h.raw_size = f->claim_raw ? f->claim_raw : f->raw_size;
	h.packed_size = f->claim_packed ? f->claim_packed : (uint32_t)n;
	h.first_ns = f->first;
	h.last_ns = f->last;
	h.packed_crc = file_crc(0, packed, n);
	h.crc = file_crc(0, &h, offsetof(struct chunk_header, crc));
	data = malloc(start + sizeof(h) + n);
	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	memcpy(data, file, start);
	memcpy(data + start, &h, sizeof(h));
	memcpy(data + start + sizeof(h), packed, n);
	o = read_bytes(data, start + sizeof(h) + n);
	free(data);
	free(packed);
	free(file);
	return o;
}

static void expect_forged(struct forgery f, int err, const char *text)
{
	struct outcome o = read_forged(&f);

	CU_ASSERT_EQUAL(o.open_err, 0);
	CU_ASSERT_EQUAL(o.next_err, err);
	CU_ASSERT_EQUAL(o.records, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(o.text, text));
}

/* Checksums that fit prove nothing about who computed them. */
static void forged_chunks_are_refused(void)
{
	struct ev_ready two[2];
	struct event_head *h = &two[1].h;
	struct forgery good = {.raw = two, .raw_size = sizeof(two), .records = 2, .last = 1000}, f;
	char *big = calloc(1, CHUNK_RAW_MAX + 8);
	char unknown[32];

	memcpy(&two[0], record(EV_READY, 0, 0), sizeof(two[0]));
	memcpy(&two[1], record(EV_READY, 0, 1), sizeof(two[1]));
	CU_ASSERT_EQUAL(read_forged(&good).records, 2);

#define EXPECT(change, err, text) (f = good, change, expect_forged(f, err, text))
	EXPECT(f.kind = "ID\033X", -ENOTSUP, "kind \"ID?X\"");
	EXPECT(f.claim_number = 1, 0, "chunk 1 follows where 0 is due");
	EXPECT(f.records = 0, 0, "impossible sizes");
	EXPECT(f.records = UINT32_MAX, 0, "impossible sizes");
	EXPECT(f.records = 1, 0, "has 2 records and claims 1");
	EXPECT(f.claim_raw = UINT32_MAX, 0, "impossible sizes");
	EXPECT(f.claim_raw = CHUNK_RAW_MAX + 1, 0, "impossible sizes");
	EXPECT(f.claim_raw = CHUNK_RAW_MAX, 0, "unpacks to 48 bytes");
	EXPECT(f.claim_raw = 40, 0, "does not unpack");
	EXPECT(f.claim_packed = UINT32_MAX, 0, "impossible sizes");
	EXPECT(f.claim_packed = CHUNK_PACKED_MAX, 0, "cut within chunk 0");
	EXPECT(f.claim_packed = 5, 0, "checksum of chunk 0");
	EXPECT(f.first = 1, 0, "another time");
	EXPECT(f.last = 1001, 0, "another time");
	EXPECT(f.raw_size = 40, 0, "does not fit");
	EXPECT(f.raw_size = 32, 0, "does not fit");
	EXPECT((f.raw = big, f.raw_size = CHUNK_RAW_MAX + 8), 0, "impossible sizes");

	h->size = 0;
	expect_forged(good, 0, "does not fit");
	h->size = 8;
	expect_forged(good, 0, "does not fit");
	h->size = 16;
	expect_forged(good, 0, "malformed ready record");
	h->size = 17;
	expect_forged(good, 0, "malformed ready record");
	h->size = 32;
	expect_forged(good, 0, "does not fit");
	h->size = 65535;
	expect_forged(good, 0, "does not fit");
	h->size = 24;
	h->type = EV_USER_END;
	snprintf(unknown, sizeof(unknown), "record of type %d", EV_USER_END);
	expect_forged(good, -ENOTSUP, unknown);
#undef EXPECT
	free(big);
}

/* --- failing writes ----------------------------------------------------------------------- */

/* Every call after the first failure says the same. */
static void expect_stuck(struct capture_writer *w, int err, const char *text)
{
	struct error e = {0};

	CU_ASSERT_EQUAL(capture_writer_add(w, record(EV_GO, 0, 0), &e), err);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, text));
	memset(&e, 0, sizeof(e));
	CU_ASSERT_EQUAL(capture_writer_flush(w, &e), err);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, text));
	memset(&e, 0, sizeof(e));
	CU_ASSERT_EQUAL(capture_writer_close(w, &e), err);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, text));
}

static void a_full_device_is_an_error_at_open(void)
{
	struct capture_writer *w = NULL;
	struct error e = {0};
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(capture_writer_open(&w, fd, &info, NULL, &e), -ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "disk is full"));
	CU_ASSERT_PTR_NULL(w);
	close(fd);
}

/* Noise, so that a chunk is about as large on disk as in memory. */
static int add_noise(struct capture_writer *w, unsigned int seed, struct error *e)
{
	struct ev_stack *ev = (void *)record(EV_STACK, EVENT_MAX_FRAMES, seed);
	uint64_t x = 88172645463325252ULL + seed;

	for (int i = 0; i < EVENT_MAX_FRAMES; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		ev->pc[i] = x;
	}
	return capture_writer_add(w, &ev->h, e);
}

static void a_limit_in_mid_chunk_leaves_whole_chunks(void)
{
	static const char path[] = "/tmp/gscope-unit-limit";
	struct rlimit old, small;
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	struct capture_writer *w;
	struct outcome o;
	struct error e = {0};
	unsigned int i = 0;
	int fd, err = 0;

	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CU_ASSERT_FATAL(fd >= 0);
	w = writer_on(fd);
	CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1000000; /* not a multiple of a chunk */
	CU_ASSERT_EQUAL(sigaction(SIGXFSZ, &ignore, &before), 0);
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &small), 0);
	while (!err && i < 10000)
		err = add_noise(w, i++, &e);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &old), 0);
	CU_ASSERT_EQUAL(sigaction(SIGXFSZ, &before, NULL), 0);

	CU_ASSERT_EQUAL(err, -EFBIG);
	CU_ASSERT(size_of(fd) > 500000);
	CU_ASSERT(size_of(fd) < 1000000);
	CU_ASSERT_EQUAL(capture_writer_bytes(w), size_of(fd));
	expect_stuck(w, -EFBIG, "file size limit");
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	o = read_fd(fd);
	CU_ASSERT(o.records > 400);
	CU_ASSERT_EQUAL(o.next_err, 0);
	CU_ASSERT_TRUE(o.in_order);
	CU_ASSERT_STRING_EQUAL(o.text, "");
	close(fd);
	unlink(path);
}

static void a_closed_pipe_is_an_error(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	struct capture_writer *w;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	CU_ASSERT_EQUAL(sigaction(SIGPIPE, &ignore, &before), 0);
	w = writer_on(fds[1]);
	CU_ASSERT_EQUAL(capture_writer_add(w, record(EV_GO, 0, 0), NULL), 0);
	close(fds[0]);
	CU_ASSERT_EQUAL(capture_writer_flush(w, NULL), -EPIPE);
	expect_stuck(w, -EPIPE, "closed the pipe");
	CU_ASSERT_EQUAL(sigaction(SIGPIPE, &before, NULL), 0);
	close(fds[1]);
}

/* Nobody is told before the queue is full, and nobody may wait for what will never be. */
static void a_pipe_that_closes_in_mid_capture_is_an_error(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	struct capture_writer *w;
	struct error e = {0};
	unsigned int i = 0;
	int fds[2], err = 0;
	char c;

	CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
	CU_ASSERT_EQUAL(sigaction(SIGPIPE, &ignore, &before), 0);
	w = writer_on(fds[1]);
	/* more than the pipe takes: the thread is in the middle of a chunk */
	for (; i < 300; i++)
		CU_ASSERT_EQUAL(add_noise(w, i, NULL), 0);
	CU_ASSERT_EQUAL(read(fds[0], &c, 1), 1);
	close(fds[0]);
	/* ten times what the queue holds */
	while (!err && i < 20000)
		err = add_noise(w, i++, &e);
	CU_ASSERT_EQUAL(err, -EPIPE);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "closed the pipe"));
	expect_stuck(w, -EPIPE, "closed the pipe");
	CU_ASSERT_EQUAL(sigaction(SIGPIPE, &before, NULL), 0);
	close(fds[1]);
}

/* The thread of a writer must not take the signals that are to end a capture. */
static volatile sig_atomic_t interrupted_thread;

static void note_thread(int sig)
{
	(void)sig;
	interrupted_thread = (sig_atomic_t)gettid();
}

static void signals_are_not_for_the_thread(void)
{
	struct sigaction note = {.sa_handler = note_thread}, before;
	int fd = memory_file();
	struct capture_writer *w = writer_on(fd);
	sigset_t usr1;

	/* were it to take them, it would be the only one who can */
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, &note, &before), 0);
	CU_ASSERT_EQUAL(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
	CU_ASSERT_EQUAL(kill(getpid(), SIGUSR1), 0);
	for (unsigned int i = 0; i < 3000; i++)
		add_noise(w, i, NULL);
	CU_ASSERT_EQUAL(capture_writer_close(w, NULL), 0);
	CU_ASSERT_EQUAL(interrupted_thread, 0);
	CU_ASSERT_EQUAL(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
	CU_ASSERT_EQUAL(interrupted_thread, gettid());
	CU_ASSERT_EQUAL(sigaction(SIGUSR1, &before, NULL), 0);
	close(fd);
}

static CU_TestInfo tests[] = {
	{"all records come back", all_records_come_back},
	{"a pipe will do", a_pipe_will_do},
	{"an empty capture is whole", an_empty_capture_is_whole},
	{"chunks end by size and by time", chunks_end_by_size_and_by_time},
	{"without a thread it works as well", without_a_thread_it_works_as_well},
	{"the writer refuses malformed records", the_writer_refuses_malformed_records},
	{"a cut file reads to its last whole chunk", a_cut_file_reads_to_its_last_whole_chunk},
	{"every flipped bit is reported", every_flipped_bit_is_reported},
	{"what is no capture is refused", what_is_no_capture_is_refused},
	{"what a later version wrote is named", what_a_later_version_wrote_is_named},
	{"text of the header is printable", text_of_the_header_is_printable},
	{"forged chunks are refused", forged_chunks_are_refused},
	{"a full device is an error at open", a_full_device_is_an_error_at_open},
	{"a limit in mid-chunk leaves whole chunks", a_limit_in_mid_chunk_leaves_whole_chunks},
	{"a closed pipe is an error", a_closed_pipe_is_an_error},
	{"a pipe that closes in mid-capture is an error",
	 a_pipe_that_closes_in_mid_capture_is_an_error},
	{"signals are not for the thread", signals_are_not_for_the_thread},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/file", tests);
