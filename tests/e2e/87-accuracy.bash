# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# What gscope says of a program is what the program's own tracer says, event by event.

# The comparator finds the damage done to a trace, and no other.
comparator() {
	(cd "$top" && tests/accuracy/build test) || fail 'the comparator fails its own tests'
}
add accuracy-comparator comparator
