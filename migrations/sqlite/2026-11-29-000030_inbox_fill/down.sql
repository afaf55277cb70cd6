-- Nothing to undo: the step before takes the columns back.
SELECT 1;
