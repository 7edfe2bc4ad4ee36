// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "user/base/io.h"
#include "user/base/outfile.h"

static char dir[64];

static void enter(void)
{
	strcpy(dir, "/tmp/gscope-unit.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
}

static const char *in_dir(const char *name)
{
	static char path[4][512];
	static int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static int entries(void)
{
	DIR *d = opendir(dir);
	int n = -2; /* . and .. */

	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void leave(void)
{
	static const char *names[] = {"f", "g", "sub", "link", "fifo"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove(in_dir(names[i]));
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(io_write(fd, text, strlen(text), NULL), 0);
	close(fd);
}

static const char *get(const char *path)
{
	static char text[64];
	size_t n = 0;
	int fd = open(path, O_RDONLY);

	memset(text, 0, sizeof(text));
	if (fd < 0)
		return "(none)";
	CU_ASSERT_EQUAL(io_read(fd, text, sizeof(text) - 1, &n), 0);
	close(fd);
	return text;
}

static void whole_file_appears_at_commit(void)
{
	struct outfile *o;
	struct stat st;

	enter();
	put(in_dir("f"), "old");
	CU_ASSERT_EQUAL_FATAL(outfile_create(&o, in_dir("f"), NULL), 0);
	CU_ASSERT_STRING_EQUAL(outfile_name(o), in_dir("f"));
	CU_ASSERT_EQUAL(io_write(outfile_fd(o), "new", 3, NULL), 0);
	CU_ASSERT_STRING_EQUAL(get(in_dir("f")), "old");
	CU_ASSERT_EQUAL(outfile_commit(o, NULL), 0);
	CU_ASSERT_STRING_EQUAL(get(in_dir("f")), "new");
	CU_ASSERT_EQUAL(stat(in_dir("f"), &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
	CU_ASSERT_EQUAL(entries(), 1);

	CU_ASSERT_EQUAL_FATAL(outfile_create(&o, in_dir("f"), NULL), 0);
	CU_ASSERT_EQUAL(io_write(outfile_fd(o), "newer", 5, NULL), 0);
	outfile_discard(o);
	CU_ASSERT_STRING_EQUAL(get(in_dir("f")), "new");
	CU_ASSERT_EQUAL(entries(), 1);
	leave();
}

static void shows_when_it_holds_something(void)
{
	struct outfile *o;

	enter();
	put(in_dir("f"), "old");
	/* another name for the old file: it must keep its content */
	CU_ASSERT_EQUAL(link(in_dir("f"), in_dir("g")), 0);
	CU_ASSERT_EQUAL_FATAL(outfile_create(&o, in_dir("f"), NULL), 0);
	CU_ASSERT_EQUAL(io_write(outfile_fd(o), "part", 4, NULL), 0);
	CU_ASSERT_STRING_EQUAL(get(in_dir("f")), "old");
	CU_ASSERT_FALSE(outfile_shows(o));
	outfile_show(o);
	CU_ASSERT_TRUE(outfile_shows(o));
	CU_ASSERT_STRING_EQUAL(get(in_dir("f")), "part");
	outfile_show(o);
	outfile_discard(o); /* as after a failure: what was captured stays */
	CU_ASSERT_STRING_EQUAL(get(in_dir("f")), "part");
	CU_ASSERT_STRING_EQUAL(get(in_dir("g")), "old");
	CU_ASSERT_EQUAL(entries(), 2);
	leave();
}

/* A capture that fails, with a header or without, leaves all as it was. */
static void nothing_shown_changes_nothing(void)
{
	struct outfile *o;

	enter();
	CU_ASSERT_EQUAL_FATAL(outfile_create(&o, in_dir("g"), NULL), 0);
	CU_ASSERT_EQUAL(entries(), 1);
	CU_ASSERT_EQUAL(io_write(outfile_fd(o), "header", 6, NULL), 0);
	outfile_discard(o);
	CU_ASSERT_EQUAL(entries(), 0);
	put(in_dir("f"), "old");
	CU_ASSERT_EQUAL_FATAL(outfile_create(&o, in_dir("f"), NULL), 0);
	CU_ASSERT_EQUAL(io_write(outfile_fd(o), "header", 6, NULL), 0);
	outfile_discard(o);
	CU_ASSERT_STRING_EQUAL(get(in_dir("f")), "old");
	CU_ASSERT_EQUAL(entries(), 1);
	/* an empty file that was wanted stays */
	CU_ASSERT_EQUAL_FATAL(outfile_create(&o, in_dir("f"), NULL), 0);
	CU_ASSERT_EQUAL(outfile_commit(o, NULL), 0);
	CU_ASSERT_STRING_EQUAL(get(in_dir("f")), "");
	CU_ASSERT_EQUAL(entries(), 1);
	leave();
}

static void expect_refusal(const char *path, int err, const char *why)
{
	struct outfile *o = NULL;
	struct error e = {0};

	CU_ASSERT_EQUAL(outfile_create(&o, path, &e), err);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, why));
	CU_ASSERT_EQUAL(e.status, EXIT_FAILED);
}

static void refuses_with_a_reason(void)
{
	enter();
	put(in_dir("f"), "precious");
	CU_ASSERT_EQUAL(symlink(in_dir("f"), in_dir("link")), 0);
	CU_ASSERT_EQUAL(mkdir(in_dir("sub"), 0700), 0);
	expect_refusal(in_dir("link"), -ELOOP, "symbolic link");
	expect_refusal(in_dir("sub"), -EISDIR, "is a directory");
	expect_refusal(in_dir("sub/"), -EISDIR, "is a directory");
	expect_refusal("/", -EISDIR, "is a directory");
	expect_refusal("..", -EISDIR, "is a directory");
	expect_refusal("", -EINVAL, "empty");
	expect_refusal(in_dir("none/f"), -ENOENT, "directory does not exist");
	expect_refusal(in_dir("f/f"), -ENOTDIR, "no directory");
	CU_ASSERT_STRING_EQUAL(get(in_dir("f")), "precious");
	CU_ASSERT_EQUAL(entries(), 3);
	leave();
}

/* A dangling link, too: creating what it points to is what an attacker in /tmp would like. */
static void makes_nothing_through_a_dangling_link(void)
{
	enter();
	CU_ASSERT_EQUAL(symlink(in_dir("g"), in_dir("link")), 0);
	expect_refusal(in_dir("link"), -ELOOP, "symbolic link");
	CU_ASSERT_EQUAL(entries(), 1);
	leave();
}

static void opens_devices_and_pipes_as_they_are(void)
{
	struct outfile *o;
	struct stat st;
	char text[4] = "";
	int fd;

	enter();
	CU_ASSERT_EQUAL_FATAL(outfile_create(&o, "/dev/null", NULL), 0);
	CU_ASSERT_EQUAL(outfile_commit(o, NULL), 0);
	CU_ASSERT_EQUAL(stat("/dev/null", &st), 0);
	CU_ASSERT(S_ISCHR(st.st_mode));

	CU_ASSERT_EQUAL(mkfifo(in_dir("fifo"), 0600), 0);
	fd = open(in_dir("fifo"), O_RDONLY | O_NONBLOCK);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(outfile_create(&o, in_dir("fifo"), NULL), 0);
	CU_ASSERT_EQUAL(io_write(outfile_fd(o), "abc", 3, NULL), 0);
	CU_ASSERT_EQUAL(outfile_commit(o, NULL), 0);
	CU_ASSERT_EQUAL(read(fd, text, 3), 3);
	CU_ASSERT_STRING_EQUAL(text, "abc");
	close(fd);
	CU_ASSERT_EQUAL(lstat(in_dir("fifo"), &st), 0);
	CU_ASSERT(S_ISFIFO(st.st_mode));
	CU_ASSERT_EQUAL(entries(), 1);
	leave();
}

static void dash_is_standard_output(void)
{
	struct outfile *o;

	CU_ASSERT_EQUAL_FATAL(outfile_create(&o, "-", NULL), 0);
	CU_ASSERT_EQUAL(outfile_fd(o), STDOUT_FILENO);
	CU_ASSERT_STRING_EQUAL(outfile_name(o), "standard output");
	CU_ASSERT_EQUAL(outfile_commit(o, NULL), 0);
	CU_ASSERT(fcntl(STDOUT_FILENO, F_GETFD) >= 0); /* still open */
}

static void owner_with(const char *uid, const char *gid, uid_t want_uid, gid_t want_gid)
{
	struct outfile *o;
	struct stat st;

	setenv("SUDO_UID", uid, 1);
	setenv("SUDO_GID", gid, 1);
	CU_ASSERT_EQUAL_FATAL(outfile_create(&o, in_dir("f"), NULL), 0);
	CU_ASSERT_EQUAL(outfile_commit(o, NULL), 0);
	CU_ASSERT_EQUAL(stat(in_dir("f"), &st), 0);
	CU_ASSERT_EQUAL(st.st_uid, want_uid);
	CU_ASSERT_EQUAL(st.st_gid, want_gid);
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
}

static void belongs_to_the_user_behind_sudo(void)
{
	uid_t me = geteuid();
	gid_t mine = getegid();

	enter();
	if (me)
		owner_with("1234", "4321", me, mine);
	else
		owner_with("1234", "4321", 1234, 4321);
	owner_with("4294967295", "4321", me, mine);
	owner_with("-1", "4321", me, mine);
	owner_with("12x", "4321", me, mine);
	owner_with("1234", "", me, mine);
	leave();
}

static void says_why_a_write_failed(void)
{
	struct outfile *o;
	struct error e = {0};
	int err;

	CU_ASSERT_EQUAL_FATAL(outfile_create(&o, "/dev/full", NULL), 0);
	err = io_write(outfile_fd(o), "x", 1, NULL);
	CU_ASSERT_EQUAL(err, -ENOSPC);
	CU_ASSERT_EQUAL(outfile_write_error(o, err, &e), -ENOSPC);
	CU_ASSERT_STRING_EQUAL(e.text, "cannot write /dev/full: the disk is full");
	outfile_discard(o);
}

static CU_TestInfo tests[] = {
	{"whole file appears at commit", whole_file_appears_at_commit},
	{"shows when it holds something", shows_when_it_holds_something},
	{"nothing shown changes nothing", nothing_shown_changes_nothing},
	{"refuses with a reason", refuses_with_a_reason},
	{"makes nothing through a dangling link", makes_nothing_through_a_dangling_link},
	{"opens devices and pipes as they are", opens_devices_and_pipes_as_they_are},
	{"dash is standard output", dash_is_standard_output},
	{"belongs to the user behind sudo", belongs_to_the_user_behind_sudo},
	{"says why a write failed", says_why_a_write_failed},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("base/outfile", tests);
