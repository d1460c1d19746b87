-- What has become of sessions of a member.
-- ARGV: prefix, member, history ms, then for each session its id, the wish that it comes of, whether it has ended, how
-- many fields and values follow, and these
local prefix, member, history = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local sessions, coming = prefix .. 'sessions:' .. member, prefix .. 'coming:' .. member
local i = 4
while ARGV[i] do
  local id, wish, has_ended, count = ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1', tonumber(ARGV[i + 3])
  local session = prefix .. 'session:' .. id
  redis.call('HSET', session, 'member', member, unpack(ARGV, i + 4, i + 3 + count))
  redis.call('HSETNX', session, 'created_at', now)
  if has_ended then
    redis.call('SREM', sessions, id)
    redis.call('HSET', session, 'ended_at', now)
    redis.call('PEXPIRE', session, history)
  else
    redis.call('SADD', sessions, id)
    redis.call('HDEL', session, 'reason', 'ended_at')
    redis.call('PEXPIRE', session, 86400000)
  end
  if wish ~= '' then redis.call('ZREM', coming, wish) end
  i = i + 4 + count
end
redis.call('PEXPIRE', sessions, 86400000)
return now
