/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_CAPTURE_CONFIG_H
#define GSCOPE_CAPTURE_CONFIG_H

#include "bpf/control.h"
#include "user/base/error.h"
#include "user/target/layout.h"

/*
 * What the BPF programs need to know of a Go process. -ENOTSUP with EXIT_TARGET and the field's
 * name if a field is where the programs cannot read it.
 */
int target_cfg_fill(struct target_cfg *cfg, const struct layout *l, struct error *e);

#endif
