// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/targets.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "gscope.skel.h"
#include "user/capture/load.h"

#define TRIES 1000000U

static bool meet(const uint32_t *tgids, size_t n, uint32_t factor)
{
	bool taken[TARGET_SLOTS] = {false};

	for (size_t i = 0; i < n; i++) {
		uint32_t slot = target_slot(tgids[i], factor);

		if (taken[slot])
			return true;
		taken[slot] = true;
	}
	return false;
}

uint32_t targets_factor(const uint32_t *tgids, size_t n)
{
	uint32_t factor = 0x9e3779b1U;

	for (uint32_t i = 0; i < TRIES && meet(tgids, n, factor); i++)
		factor = (factor * 0x2c1b3c6dU + 0x297a2d39U) | 1;
	return factor;
}

void targets_choose(const struct programs *p, const uint32_t *tgids, size_t n)
{
	p->skel->bss->target_factor = targets_factor(tgids, n);
}

int targets_enter(const struct programs *p, size_t i, uint32_t tgid, const struct target_cfg *cfg)
{
	uint32_t key = (uint32_t)i + 1;
	struct target_cfg value = *cfg;

	if (key > MAX_TARGETS)
		return -E2BIG;
	value.tgid = tgid;
	value.index = (uint32_t)i;
	if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.targets), &key, &value, BPF_ANY))
		return -errno;
	p->skel->bss->target_slots[target_slot(tgid, p->skel->bss->target_factor)] = (uint8_t)key;
	return 0;
}

void targets_leave(const struct programs *p, uint32_t tgid)
{
	p->skel->bss->target_slots[target_slot(tgid, p->skel->bss->target_factor)] = 0;
}

void targets_told(const struct programs *p, size_t i, bool told)
{
	__atomic_store_n(&p->skel->bss->told_by_stubs[i], told, __ATOMIC_SEQ_CST);
}
