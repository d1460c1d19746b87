-- A letter for a member, which may be gone.
-- ARGV: prefix, member, ms until it is void, the letter
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local inbox, patience = ARGV[1] .. 'inbox:' .. ARGV[2], tonumber(ARGV[3])
if redis.call('LLEN', inbox) >= 4096 then return 0 end
redis.call('RPUSH', inbox, (now + patience) .. ' ' .. ARGV[4])
redis.call('PEXPIRE', inbox, 2 * patience)
return 1
