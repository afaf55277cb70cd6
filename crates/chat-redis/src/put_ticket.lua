-- Keeps a ticket, in one step for all nodes, and no more tickets of its person than they may have.
--
-- KEYS[1]: the ticket. KEYS[2]: its person's unused tickets, a sorted set of digests by the time at which they expire.
-- ARGV: 1 what stands for the ticket, 2 its lifetime in ms, 3 its digest, 4 when it expires, 5 the time, both in ms since
--       1970, 6 the most tickets of a person, 7 what keys of tickets begin with.
-- Answers 1 when it is kept, and 0 when there is one of this digest.
local value, lifetime, digest, expires_at, now, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])

local unexpired = '(' .. now
local surplus = redis.call('ZCOUNT', KEYS[2], unexpired, '+inf') + 1 - most
local surplus_tickets = {}
if surplus > 0 then
  surplus_tickets = redis.call('ZRANGEBYSCORE', KEYS[2], unexpired, '+inf', 'LIMIT', 0, surplus)
end

-- The first write is one that needs memory: without memory Redis refuses it, and nothing is done.
redis.call('ZADD', KEYS[2], expires_at, digest)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
for _, other in ipairs(surplus_tickets) do
  redis.call('ZREM', KEYS[2], other)
  redis.call('DEL', ARGV[7] .. other)
end
if redis.call('PTTL', KEYS[2]) < tonumber(lifetime) then
  redis.call('PEXPIRE', KEYS[2], lifetime)
end
-- The ticket comes last: when Redis refuses anything above, there is none, and the node may keep it.
return redis.call('SET', KEYS[1], value, 'NX', 'PX', lifetime) and 1 or 0
