// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/rings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/control.h"
#include "user/capture/load.h"

#define RING_MIN ((uint64_t)RING_CHUNK)
#define RING_MAX (1UL << 30)
#define DEFAULT_RECORDS 500000UL /* per second */
#define RECORD_BYTES 88UL /* of the most frequent ones, with the ring's own header */
#define RING_BUSY (4UL << 20) /* what one CPU alone, at its limit of 1 in 1 us, fills in 47 ms */
#define MEMORY_PART 32 /* of the machine's memory, all rings together, unless asked for more */

uint64_t ring_size(uint64_t total, size_t cpus, uint64_t memory)
{
	uint64_t share, size = RING_MIN;

	share = (total + cpus - 1) / cpus;
	if (!total) {
		share = (DEFAULT_RECORDS * RECORD_BYTES + cpus - 1) / cpus;
		if (share < RING_BUSY)
			share = RING_BUSY;
	}
	while (size < share && size < RING_MAX)
		size *= 2;
	while (!total && size > RING_MIN && size > memory / MEMORY_PART / cpus)
		size /= 2;
	return size;
}

static uint64_t machine_memory(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool is_online(size_t cpu)
{
	char path[64], c = '1';
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%zu", cpu);
	if (access(path, F_OK))
		return false;
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%zu/online", cpu);
	f = fopen(path, "re"); /* cpu0 often cannot be taken offline, and has no such file */
	if (!f)
		return true;
	if (fread(&c, 1, 1, f) != 1)
		c = '1';
	fclose(f);
	return c != '0';
}

static int create_maps(struct programs *p, struct error *e)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

	for (size_t cpu = 0; cpu < p->ncpus; cpu++) {
		if (!is_online(cpu))
			continue;
		p->ring_fds[cpu] = bpf_map_create(BPF_MAP_TYPE_ARRAY, "gscope_ring",
						  sizeof(uint32_t), sizeof(struct ring_chunk),
						  (uint32_t)(p->ring_bytes / RING_CHUNK), &opts);
		if (p->ring_fds[cpu] < 0)
			return error_set(e, EXIT_FAILED, -errno,
					 "no ring buffer for CPU %zu (%llu KiB): %s%s", cpu,
					 (unsigned long long)p->ring_bytes >> 10, strerror(errno),
					 errno == ENOMEM ? "; ask for less with --buffer" : "");
	}
	return 0;
}

int rings_create(struct programs *p, uint64_t total, struct error *e)
{
	int cpus = libbpf_num_possible_cpus();
	size_t online;

	if (cpus <= 0)
		return error_set(e, EXIT_FAILED, cpus ? cpus : -EINVAL,
				 "cannot tell how many CPUs there are: %s", strerror(-cpus));
	p->ncpus = (size_t)cpus;
	online = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	p->ring_bytes = ring_size(total, online ? online : p->ncpus, machine_memory());
	p->ring_fds = malloc(p->ncpus * sizeof(*p->ring_fds));
	if (!p->ring_fds)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	memset(p->ring_fds, 0xff, p->ncpus * sizeof(*p->ring_fds));
	return create_maps(p, e);
}

int rings_any(const struct programs *p)
{
	size_t cpu = 0;

	while (cpu + 1 < p->ncpus && p->ring_fds[cpu] < 0)
		cpu++;
	return p->ring_fds[cpu];
}

int rings_connect(struct programs *p, int map, int taken, struct error *e)
{
	p->ring_taken = mmap(NULL, p->ncpus * sizeof(*p->ring_taken), PROT_READ | PROT_WRITE,
			     MAP_SHARED, taken, 0);
	if (p->ring_taken == MAP_FAILED) {
		p->ring_taken = NULL;
		return error_set(e, EXIT_FAILED, -errno, "cannot map the ring buffers: %s",
				 strerror(errno));
	}
	for (uint32_t cpu = 0; cpu < p->ncpus; cpu++)
		if (p->ring_fds[cpu] >= 0 &&
		    bpf_map_update_elem(map, &cpu, &p->ring_fds[cpu], BPF_ANY))
			return error_set(e, EXIT_FAILED, -errno,
					 "cannot set up the ring buffer of CPU %u: %s", cpu,
					 strerror(errno));
	return 0;
}

void rings_close(struct programs *p)
{
	for (size_t i = 0; p->ring_fds && i < p->ncpus; i++)
		if (p->ring_fds[i] >= 0)
			close(p->ring_fds[i]);
	free(p->ring_fds);
	if (p->ring_taken)
		munmap(p->ring_taken, p->ncpus * sizeof(*p->ring_taken));
}
