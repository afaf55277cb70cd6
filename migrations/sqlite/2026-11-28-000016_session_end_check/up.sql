-- Nothing to do: SQLite has no checks that hold for new rows only.
--
-- Beside running nodes: no other process uses the file while migrations run.
SELECT 1;
