-- A token bucket of all nodes together.
-- ARGV: its key, how many tokens it has, and gets in a minute
-- Returns: after how many ms there is a token; 0 if one was taken.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most = tonumber(ARGV[2])
local bucket = redis.call('HMGET', ARGV[1], 'tokens', 'at')
local tokens = math.min(most, (tonumber(bucket[1]) or most) + (now - (tonumber(bucket[2]) or now)) * most / 60000)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = math.ceil((1 - tokens) * 60000 / most) end
redis.call('HSET', ARGV[1], 'tokens', tostring(tokens), 'at', now)
redis.call('PEXPIRE', ARGV[1], 60000)
return wait
