-- Nothing to do: one server uses an SQLite file, and tells no other what happens. In PostgreSQL, this step makes the key
-- under which servers of a database authenticate what they tell each other through Redis.
SELECT 1;
