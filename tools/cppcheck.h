/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What cppcheck, which does not read system headers, has to know of uthash's loops. */
#define HASH_ITER(hh, head, el, tmp) for (el = tmp = head; el; el = tmp)
#define DL_FOREACH(head, el) for (el = head; el; el = el->next)
#define DL_FOREACH_SAFE(head, el, tmp) for (el = tmp = head; el; el = tmp)
#define LL_FOREACH(head, el) for (el = head; el; el = el->next)
#define LL_FOREACH_SAFE(head, el, tmp) for (el = tmp = head; el; el = tmp)
#define LIBBPF_OPTS(TYPE, NAME, ...) struct TYPE NAME = {__VA_ARGS__}
