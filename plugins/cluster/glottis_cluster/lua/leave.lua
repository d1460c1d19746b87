-- A member leaves in good order: its calls have ended.
-- ARGV: prefix, member, node, instance, owner, whether it is the whole node, history ms
local prefix, member, node, instance, owner = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local record = prefix .. 'member:' .. member
if redis.call('HGET', record, 'instance') ~= instance then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(redis.call('SMEMBERS', prefix .. 'sessions:' .. member)) do
  local session = prefix .. 'session:' .. id
  redis.call('HSET', session, 'state', 'ended', 'reason', 'the gateway stops', 'ended_at', now)
  redis.call('PEXPIRE', session, ARGV[7])
end
redis.call('ZREM', prefix .. 'members', member)
redis.call('DEL', record, prefix .. 'coming:' .. member, prefix .. 'inbox:' .. member, prefix .. 'sessions:' .. member)
local name = prefix .. 'name:' .. node
local holder = redis.call('GET', name)
if ARGV[6] == '1' and holder and string.sub(holder, 1, #owner + 1) == owner .. ' ' then redis.call('DEL', name) end
return 1
