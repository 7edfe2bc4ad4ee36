-- SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
-- For wrk: every connection waits some milliseconds between its requests. As fast as they can,
-- services do so much that reading the traces takes minutes.
function delay()
	return 20
end
