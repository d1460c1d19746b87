-- Chooses the member for a session, counts it there as coming, and gives it the wish, all at once.
-- ARGV: prefix, who asks, id of the wish, campaign, agent, region, whether no other region will do, ms until the wish is
-- void, the wish, then members that have refused it
-- Returns: the member; nothing, if none fits.
local prefix, asker, wish, campaign = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local agent, region, strict, patience = ARGV[5], ARGV[6], ARGV[7] == '1', tonumber(ARGV[8])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local refused = {}
for i = 10, #ARGV do refused[ARGV[i]] = true end

local candidates, is_agent_known = {}, false
for _, member in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'members', now, '+inf')) do
  local fields = {'unavailable', 'capacity', 'region', 'campaign:' .. campaign}
  local record = redis.call('HMGET', prefix .. 'member:' .. member, unpack(fields))
  local capacity, agents = tonumber(record[2]), record[4]
  if capacity and agents then
    local has_agent = agent ~= '' and string.find(agents, '\n' .. agent .. '\n', 1, true) ~= nil
    is_agent_known = is_agent_known or has_agent
    local coming = prefix .. 'coming:' .. member
    redis.call('ZREMRANGEBYSCORE', coming, '-inf', now)
    local taken = redis.call('SCARD', prefix .. 'sessions:' .. member) + redis.call('ZCARD', coming)
    local is_near = region == '' or record[3] == region
    if record[1] == '' and taken < capacity and not refused[member] and (is_near or not strict) then
      candidates[#candidates + 1] = {
        member = member, has_agent = has_agent, far = is_near and 0 or 1, load = taken / capacity,
        away = member == asker and 0 or 1,
      }
    end
  end
end

local best
local function is_better(one, other)
  for _, by in ipairs({'far', 'load', 'away', 'member'}) do
    if one[by] ~= other[by] then return one[by] < other[by] end
  end
  return false
end
for _, one in ipairs(candidates) do
  if (one.has_agent or not is_agent_known) and (not best or is_better(one, best)) then best = one end
end
if not best then return nil end

local coming = prefix .. 'coming:' .. best.member
redis.call('ZADD', coming, now + 5 * patience, wish)  -- it may take a while to create, and is forgotten when it is noted
redis.call('PEXPIRE', coming, 10 * patience)
if best.member ~= asker then
  local inbox = prefix .. 'inbox:' .. best.member
  redis.call('RPUSH', inbox, (now + patience) .. ' ' .. ARGV[9])
  redis.call('PEXPIRE', inbox, 2 * patience)
end
return best.member
