// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/outfile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "user/base/io.h"

struct outfile {
	char *path; /* as the user gave it; NULL for standard output */
	const char *base; /* last component, within path */
	char *temp; /* name in dir of the new file until it is in place; or NULL */
	int dir;
	int fd;
	bool replaces; /* a regular file was at path */
};

static void outfile_free(struct outfile *o)
{
	if (o->fd >= 0 && o->path)
		close(o->fd);
	if (o->dir >= 0)
		close(o->dir);
	free(o->temp);
	free(o->path);
	free(o);
}

static int create_error(const struct outfile *o, int err, struct error *e)
{
	const char *why;

	switch (-err) {
	case ENOENT:
		why = "its directory does not exist";
		break;
	case ENOTDIR:
		why = "a part of the path is no directory";
		break;
	case EACCES:
	case EPERM:
		why = "no permission to make files in its directory";
		break;
	case EROFS:
		why = "the file system is read-only";
		break;
	case EISDIR:
		why = "it is a directory; add a file name";
		break;
	case ENXIO:
		why = "it is a FIFO, and for 10 s nothing has read from it: start its reader first";
		break;
	case ELOOP:
		why = "it is a symbolic link; name the file it points to, or - for standard output";
		break;
	default:
		why = io_write_reason(err);
	}
	return error_set(e, EXIT_FAILED, err, "cannot create %s: %s", o->path, why);
}

static bool parse_id(const char *text, unsigned int *id)
{
	char *end;
	unsigned long v;

	if (!text || !isdigit((unsigned char)*text))
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	/* (uid_t)-1 would mean "leave as it is" to fchown() */
	if (errno || *end || v >= UINT32_MAX)
		return false;
	*id = (unsigned int)v;
	return true;
}

/* Give the new file to the user who ran sudo. Failing to is no reason to lose the output. */
static void give_to_invoker(int fd)
{
	unsigned int uid, gid;

	if (geteuid() || !parse_id(getenv("SUDO_UID"), &uid) || !parse_id(getenv("SUDO_GID"), &gid))
		return;
	if (fchown(fd, uid, gid))
		return;
}

/* The directory part is followed as any path is; only the last component must be no link. */
static int open_dir(struct outfile *o)
{
	char *slash = strrchr(o->path, '/');
	char *dir;

	if (!slash) {
		o->base = o->path;
		o->dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	} else {
		o->base = slash + 1;
		dir = strndup(o->path, slash == o->path ? 1 : (size_t)(slash - o->path));
		if (!dir)
			return -ENOMEM;
		o->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		free(dir);
	}
	if (o->dir < 0)
		return -errno;
	if (!*o->base || !strcmp(o->base, ".") || !strcmp(o->base, ".."))
		return -EISDIR;
	return 0;
}

/* A new file next to where it will be, so that renaming it is atomic. */
static int create_temp(struct outfile *o)
{
	uint64_t r;

	for (int tries = 0; tries < 100; tries++) {
		if (getrandom(&r, sizeof(r), 0) != sizeof(r))
			return -EIO;
		/* cut, as a name may be as long as the file system allows */
		if (asprintf(&o->temp, ".%.200s.%08" PRIx64, o->base, r & UINT32_MAX) < 0) {
			o->temp = NULL;
			return -ENOMEM;
		}
		o->fd = openat(o->dir, o->temp,
			       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (o->fd >= 0)
			return 0;
		free(o->temp);
		o->temp = NULL;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* How long a FIFO may be without a reader. */
#define READER_TRIES 100
#define READER_PAUSE_NS 100000000

/*
 * Wait for a reader of a FIFO, as the redirection of a shell does; not for ever, nor in silence on a terminal.
 */
static int open_fifo(struct outfile *o)
{
	const struct timespec pause = {.tv_nsec = READER_PAUSE_NS};

	for (int i = 0; i < READER_TRIES; i++) {
		o->fd = openat(o->dir, o->base,
			       O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		if (o->fd >= 0 || errno != ENXIO)
			break;
		if (!i && isatty(STDERR_FILENO))
			fprintf(stderr, "gscope: the output is a FIFO: waiting for its reader\n");
		nanosleep(&pause, NULL);
	}
	if (o->fd < 0)
		return -errno;
	/* what comes later waits for a slow reader */
	return fcntl(o->fd, F_SETFL, O_WRONLY) ? -errno : 0;
}

/* Device or FIFO: it may have been exchanged since it was looked at. */
static int open_special(struct outfile *o)
{
	struct stat st;
	int err = open_fifo(o);

	if (err)
		return err;
	if (fstat(o->fd, &st))
		return -errno;
	return S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode) ? 0 : -EAGAIN;
}

static int put_in_place(struct outfile *o)
{
	if (renameat(o->dir, o->temp, o->dir, o->base))
		return -errno;
	free(o->temp);
	o->temp = NULL;
	return 0;
}

static int create_at_path(struct outfile *o, struct error *e)
{
	struct stat st;
	int err;

	err = open_dir(o);
	if (err)
		return create_error(o, err, e);
	if (!fstatat(o->dir, o->base, &st, AT_SYMLINK_NOFOLLOW)) {
		if (S_ISLNK(st.st_mode))
			return create_error(o, -ELOOP, e);
		if (S_ISDIR(st.st_mode))
			return create_error(o, -EISDIR, e);
		if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)) {
			err = open_special(o);
			return err ? create_error(o, err, e) : 0;
		}
		if (!S_ISREG(st.st_mode))
			return error_set(e, EXIT_FAILED, -ENOTSUP,
					 "cannot create %s: it is a block device or a socket",
					 o->path);
		o->replaces = true;
	} else if (errno != ENOENT) {
		return create_error(o, -errno, e);
	}
	err = create_temp(o);
	if (err)
		return create_error(o, err, e);
	give_to_invoker(o->fd);
	return 0;
}

int outfile_create(struct outfile **out, const char *path, struct error *e)
{
	struct outfile *o = calloc(1, sizeof(*o));
	int err;

	if (!o)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	o->dir = -1;
	o->fd = -1;
	if (!*path) {
		free(o);
		return error_set(e, EXIT_FAILED, -EINVAL, "the name of the output file is empty");
	}
	if (!strcmp(path, "-")) {
		o->fd = STDOUT_FILENO;
		*out = o;
		return 0;
	}
	o->path = strdup(path);
	err = o->path ? create_at_path(o, e) : error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	if (err) {
		outfile_discard(o);
		return err;
	}
	*out = o;
	return 0;
}

void outfile_show(struct outfile *o)
{
	/* what fails now is tried again, and told, at outfile_commit() */
	if (o->temp)
		put_in_place(o);
}

bool outfile_shows(const struct outfile *o)
{
	return !o->temp;
}

int outfile_fd(const struct outfile *o)
{
	return o->fd;
}

const char *outfile_name(const struct outfile *o)
{
	return o->path ? o->path : "standard output";
}

int outfile_write_error(const struct outfile *o, int err, struct error *e)
{
	return error_set(e, EXIT_FAILED, err, "cannot write %s: %s", outfile_name(o),
			 io_write_reason(err));
}

int outfile_commit(struct outfile *o, struct error *e)
{
	int err = 0, fd;

	if (!o)
		return 0;
	if (o->path) {
		/*
		 * Without it a power failure may leave the new name with no data behind it: the
		 * rename can reach the disk first.
		 */
		if (o->temp && o->replaces && fsync(o->fd))
			err = -errno;
		fd = o->fd;
		o->fd = -1;
		if (close(fd) && !err)
			err = -errno;
		if (!err && o->temp)
			err = put_in_place(o);
		if (err)
			err = outfile_write_error(o, err, e);
		if (o->temp)
			unlinkat(o->dir, o->temp, 0);
	}
	outfile_free(o);
	return err;
}

void outfile_discard(struct outfile *o)
{
	if (!o)
		return;
	if (o->temp)
		unlinkat(o->dir, o->temp, 0);
	outfile_free(o);
}
