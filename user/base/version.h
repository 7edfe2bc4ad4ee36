/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_BASE_VERSION_H
#define GSCOPE_BASE_VERSION_H

#define GSCOPE_VERSION "0.1"

#endif
