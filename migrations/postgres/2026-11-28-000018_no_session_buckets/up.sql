-- Sessions are no longer counted by the time at which they started: a page by number walks along the index of the list,
-- and a page by cursor enters that index where the page before it ended. The totals of lists stay in
-- chat_session_counts.
--
-- Beside running nodes: stop them first, because the version before writes to this table with each session that it
-- opens.
DROP TABLE chat_session_buckets;
