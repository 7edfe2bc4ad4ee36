// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// With a file of assembly the compiler lets functions have no body.
