-- What people are called and where a picture of them is, as their tokens say: personal data. Filled by the writes of
-- people whose token says something that is not here. `updated_at`, in milliseconds since 1970, is when that token was
-- issued, or shown if it does not say: an older one writes nothing. A person of whom no token says anything has no row.
CREATE TABLE chat_people (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT,
    avatar_url TEXT,
    updated_at BIGINT NOT NULL
) WITHOUT ROWID;
