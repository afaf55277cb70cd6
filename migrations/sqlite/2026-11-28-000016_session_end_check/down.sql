-- Nothing to undo: up.sql did nothing.
SELECT 1;
