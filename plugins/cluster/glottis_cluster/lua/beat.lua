-- A member says that it lives, and what it has; it is told whom it outlives.
-- ARGV: prefix, member, node, instance, owner, url, lease ms, history ms, then fields and values of its record
-- Returns: "taken" and the url of who has the name; or "known" or "new", the time in ms, and for each member that is
-- lost its name and how many sessions have ended with it.
local prefix, member, node, instance, owner, url = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local lease, history = tonumber(ARGV[7]), ARGV[8]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local members, record = prefix .. 'members', prefix .. 'member:' .. member

local name = prefix .. 'name:' .. node
local holder = redis.call('GET', name)
if holder and string.sub(holder, 1, #owner + 1) ~= owner .. ' ' then
  return {'taken', string.match(holder, ' (.*)$') or ''}
end

-- So many sessions at a time, since Redis serves nobody else meanwhile; says how many in all, and whether none is left.
local function lose(lost)
  local set = prefix .. 'sessions:' .. lost
  local ids = redis.call('SPOP', set, 500)
  for _, id in ipairs(ids) do
    local session = prefix .. 'session:' .. id
    if redis.call('HGET', session, 'member') == lost then
      redis.call('HSET', session, 'state', 'ended', 'reason', 'its node was lost', 'ended_at', now)
      redis.call('PEXPIRE', session, history)
    end
  end
  local ended = prefix .. 'ended:' .. lost
  local sum = redis.pcall('INCRBY', ended, #ids)
  if type(sum) ~= 'number' then sum = #ids end  -- the key holds something else
  redis.call('PEXPIRE', ended, 60000)
  if redis.call('EXISTS', set) == 1 then return sum, false end
  redis.call('DEL', ended, prefix .. 'member:' .. lost, prefix .. 'coming:' .. lost, prefix .. 'inbox:' .. lost)
  return sum, true
end

local answer = {'known', now}
local known = redis.call('HGET', record, 'instance')
if known ~= instance then
  if known then  -- an earlier process of this name
    local all = false
    while not all do _, all = lose(member) end
  end
  answer[1] = 'new'
end
redis.call('SET', name, owner .. ' ' .. url, 'PX', lease)
redis.call('HSET', record, 'instance', instance, 'node', node, 'url', url, unpack(ARGV, 9))
redis.call('PEXPIRE', record, 86400000)
redis.call('ZADD', members, now + lease, member)

-- While nobody could say that it lives, nobody's silence means anything.
local pulse, silence = prefix .. 'pulse', prefix .. 'silence'
local last = tonumber(redis.call('GET', pulse))
redis.call('SET', pulse, now, 'PX', 86400000)
if not last or now - last > lease then redis.call('SET', silence, 1, 'PX', 2 * lease) end
if redis.call('EXISTS', silence) == 0 then
  for _, lost in ipairs(redis.call('ZRANGEBYSCORE', members, '-inf', '(' .. now, 'LIMIT', 0, 4)) do
    local ended, all = lose(lost)
    if all then
      redis.call('ZREM', members, lost)
      answer[#answer + 1] = lost
      answer[#answer + 1] = ended
    end
  end
end
return answer
