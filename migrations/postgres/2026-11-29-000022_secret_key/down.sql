-- The step did nothing.
SELECT 1;
