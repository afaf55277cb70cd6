-- Enters a connection of a person, in one step for all nodes.
--
-- KEYS[1]: the person's connections, a hash from connection to "<session> <lease>", where a lease is "<node>:<number>".
-- ARGV: 1 connection, 2 session, 3 lease, 4 most in the session, 5 most of the person, 6 what keys of leases begin with,
--       7 how long a lease lasts, in ms, 8 how long the hash is kept, in ms, 9 the channel of the nodes,
--       10 "1" when the connection is open already and is entered again, 11 this node.
-- Answers 0 when the person has as many as they may, else 1, followed by every connection that this one replaced.
-- Replacements are told to the nodes here, so that none is decided and not told.
local me, session, lease = ARGV[1], ARGV[2], ARGV[3]
local per_session, per_user = tonumber(ARGV[4]), tonumber(ARGV[5])
local again = ARGV[10] == '1'
local own_lease = ARGV[6] .. lease

local entries = redis.call('HGETALL', KEYS[1])
local alive, total, here = { [lease] = true }, 0, {}
for index = 1, #entries, 2 do
  local connection, its_session, its_lease = entries[index], string.match(entries[index + 1], '^(%S+) (%S+)$')
  if connection ~= me then
    if its_lease and alive[its_lease] == nil then
      alive[its_lease] = redis.call('EXISTS', ARGV[6] .. its_lease) == 1
    end
    if not its_lease or not alive[its_lease] then
      redis.call('HDEL', KEYS[1], connection)
    else
      total = total + 1
      if its_session == session then
        here[#here + 1] = { connection, its_lease }
      end
    end
  end
end

-- A new connection stays, whatever its id. One that is entered again has its place among the others by age.
if again then
  here[#here + 1] = { me, lease }
end
local too_many = #here + (again and 0 or 1) - per_session
if not again and total - math.max(too_many, 0) >= per_user then
  return { 0 }
end

-- Ids are in time order.
table.sort(here, function(one, other) return one[1] < other[1] end)
redis.call('SET', own_lease, '', 'PX', ARGV[7])
redis.call('HSET', KEYS[1], me, session .. ' ' .. lease)
redis.call('PEXPIRE', KEYS[1], ARGV[8])
local answer = { 1 }
for index = 1, math.min(too_many, #here) do
  local connection, node = here[index][1], string.match(here[index][2], '^([^:]+):')
  redis.call('HDEL', KEYS[1], connection)
  redis.call('PUBLISH', ARGV[9], string.format(
    '{"v":1,"node":"%s","kind":"replaced","to":"%s","session":"%s","connection":"%s"}',
    ARGV[11], node, session, connection))
  answer[#answer + 1] = connection
end
return answer
