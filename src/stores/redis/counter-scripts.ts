/**
 * The counters' verbs as Lua, each one atomic step on the server, by the server's own time.
 *
 * Keys (built by the store): a rate is one string, the time in milliseconds at which its bucket is full again.
 * A level is a hash (`s` settled, `h` the sum of holds, `b` when seeding began, `p` what was settled since) and
 * a sorted set of its holds (member `id:amount`, score the end of the lease). Writes that a server without
 * memory refuses stand before those it takes, so that a refused script has changed nothing that matters.
 */
const PRELUDE = `
local function serverMs()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
-- The sum of a level's holds. Where the hash was lost and the holds were not (eviction), it is added up anew.
local function heldSum(hash, holds)
  local sum = redis.call('HGET', hash, 'h')
  if sum then return tonumber(sum) end
  local total = 0
  for _, member in ipairs(redis.call('ZRANGE', holds, 0, -1)) do total = total + tonumber(string.match(member, ':(%d+)$')) end
  if total > 0 then redis.call('HSET', hash, 'h', total) end
  return total
end
-- Lets go of holds whose lease has ended, a bounded number at a time.
local function letGoEnded(hash, holds, now)
  local ended = redis.call('ZRANGEBYSCORE', holds, '-inf', now, 'LIMIT', 0, 100)
  if #ended == 0 then return end
  local sum = heldSum(hash, holds)
  for _, member in ipairs(ended) do sum = sum - tonumber(string.match(member, ':(%d+)$')) end
  redis.call('HSET', hash, 'h', math.max(0, sum))
  redis.call('ZREM', holds, unpack(ended))
end
local function hold(hash, holds, id, amount, untilMs)
  local member = id .. ':' .. amount
  if not redis.call('ZSCORE', holds, member) then
    redis.call('HSET', hash, 'h', heldSum(hash, holds) + tonumber(amount))
  end
  redis.call('ZADD', holds, untilMs, member)
end
local function release(hash, holds, id, amount)
  local member = id .. ':' .. amount
  if not redis.call('ZSCORE', holds, member) then return end
  redis.call('HSET', hash, 'h', math.max(0, heldSum(hash, holds) - tonumber(amount)))
  redis.call('ZREM', holds, member)
end
-- Keys live on for at least so long.
local function live(ttlMs, ...)
  for _, key in ipairs({...}) do
    if redis.call('PTTL', key) < ttlMs then redis.call('PEXPIRE', key, ttlMs) end
  end
end
-- What rounding may miss: a microsecond of refill, because a time of today has no finer fractions.
local function epsilon(limit, window)
  if window > 0 then return 1e-6 + 0.001 * limit / window end
  return 0
end
local function use(key, units, limit, window, now)
  local full = math.max(now, tonumber(redis.call('GET', key) or now)) + units * window / limit
  full = math.min(full, now + 2 * window)
  if full <= now then redis.call('DEL', key)
  else redis.call('SET', key, string.format('%.17g', full), 'PX', math.ceil(full - now)) end
end
`;

/**
 * KEYS: per take the rate, or hash and holds of the level.
 * ARGV: id, leaseMs, the server time after which the take is too late (0 for never), then per take: amount, limit,
 * windowMs (0 for a level), mode (1 in shadow), history (1 where it needs a seed), ttlMs of a level.
 * Answers: outcome (0 taken, 1 refused, 2 unseeded, 3 too late), server time, index, retryAfterMs, remaining per
 * take, resetMs per take, indexes (of what is unseeded, or would have refused).
 */
export const TAKE = `${PRELUDE}
local now = serverMs()
local deadline = tonumber(ARGV[3])
if deadline > 0 and now > deadline then return {3, now, 0, 0, {}, {}, {}} end
local count = (#ARGV - 3) / 6
local used, at, refused, unseeded, observed = {}, 1, 0, {}, {}
local excess = 0
for i = 1, count do
  local base = 3 + (i - 1) * 6
  local amount, limit, window = tonumber(ARGV[base + 1]), tonumber(ARGV[base + 2]), tonumber(ARGV[base + 3])
  if window > 0 then
    local full = tonumber(redis.call('GET', KEYS[at]) or now)
    used[i] = math.max(0, (full - now) * limit / window)
    at = at + 1
  else
    letGoEnded(KEYS[at], KEYS[at + 1], now)
    local settled = redis.call('HGET', KEYS[at], 's')
    if not settled and ARGV[base + 5] == '1' then unseeded[#unseeded + 1] = i - 1 end
    used[i] = tonumber(settled or 0) + heldSum(KEYS[at], KEYS[at + 1])
    at = at + 2
  end
  if used[i] + amount > limit + epsilon(limit, window) then
    if ARGV[base + 4] == '1' then observed[#observed + 1] = i - 1
    elseif refused == 0 then
      refused = i
      excess = used[i] + amount - limit
    end
  end
end
if refused == 0 and #unseeded > 0 then
  at = 1
  for i = 1, count do
    local base = 3 + (i - 1) * 6
    if tonumber(ARGV[base + 3]) > 0 then at = at + 1
    else
      local begun = redis.call('HMGET', KEYS[at], 's', 'b')
      if not begun[1] and ARGV[base + 5] == '1' and now - tonumber(begun[2] or 0) >= 5000 then
        redis.call('HSET', KEYS[at], 'b', now, 'p', 0)
        live(tonumber(ARGV[base + 6]), KEYS[at])
      end
      at = at + 2
    end
  end
  return {2, now, 0, 0, {}, {}, unseeded}
end
local remaining, reset, retryAfter = {}, {}, 0
at = 1
for i = 1, count do
  local base = 3 + (i - 1) * 6
  local amount, limit, window = tonumber(ARGV[base + 1]), tonumber(ARGV[base + 2]), tonumber(ARGV[base + 3])
  local after = used[i]
  if refused == 0 then after = after + amount end
  remaining[i] = math.max(0, math.floor(limit - after + epsilon(limit, window)))
  if window > 0 then
    if refused == 0 and amount > 0 then use(KEYS[at], amount, limit, window, now) end
    if refused == i then retryAfter = math.min(window, math.ceil(excess * window / limit)) end
    reset[i] = math.min(2 * window, math.ceil(after * window / limit))
    at = at + 1
  else
    reset[i] = 0
    if refused == 0 then
      if ARGV[base + 5] == '0' then redis.call('HSETNX', KEYS[at], 's', 0) end
      if amount > 0 then hold(KEYS[at], KEYS[at + 1], ARGV[1], ARGV[base + 1], now + tonumber(ARGV[2])) end
      live(tonumber(ARGV[base + 6]), KEYS[at], KEYS[at + 1])
    end
    at = at + 2
  end
end
if refused > 0 then return {1, now, refused - 1, retryAfter, remaining, reset, {}} end
return {0, now, 0, 0, remaining, reset, observed}
`;

/**
 * KEYS: the mark of what is settled, then per settlement the rate, or hash and holds of the level.
 * ARGV: id, ttlMs of the mark (0: nothing here would count twice, no mark is needed), then per settlement:
 * reserved, used, limit, windowMs (0 for a level), keeps (1), ttlMs of a level.
 */
export const SETTLE = `${PRELUDE}
local now = serverMs()
local first = ARGV[2] == '0' or redis.call('SET', KEYS[1], 1, 'NX', 'PX', ARGV[2])
local at = 2
for i = 1, (#ARGV - 2) / 6 do
  local base = 2 + (i - 1) * 6
  local used, window = tonumber(ARGV[base + 2]), tonumber(ARGV[base + 4])
  if window > 0 then
    local units = used - tonumber(ARGV[base + 1])
    if first and units ~= 0 then use(KEYS[at], units, tonumber(ARGV[base + 3]), window, now) end
    at = at + 1
  else
    if first and ARGV[base + 5] == '1' and used > 0 then
      local known = redis.call('HMGET', KEYS[at], 's', 'b')
      if known[1] then redis.call('HINCRBY', KEYS[at], 's', ARGV[base + 2])
      elseif known[2] then redis.call('HINCRBY', KEYS[at], 'p', ARGV[base + 2]) end
    end
    release(KEYS[at], KEYS[at + 1], ARGV[1], ARGV[base + 1])
    if redis.call('EXISTS', KEYS[at]) == 1 then live(tonumber(ARGV[base + 6]), KEYS[at], KEYS[at + 1]) end
    at = at + 2
  end
end
return now
`;

/** KEYS: per hold hash and holds of its level. ARGV: leaseMs, then per hold: id, amount, ttlMs of the level. */
export const RENEW = `${PRELUDE}
local now = serverMs()
for i = 1, #KEYS / 2 do
  local base = 1 + (i - 1) * 3
  hold(KEYS[2 * i - 1], KEYS[2 * i], ARGV[base + 1], ARGV[base + 2], now + tonumber(ARGV[1]))
  live(tonumber(ARGV[base + 3]), KEYS[2 * i - 1], KEYS[2 * i])
end
return now
`;

/** KEYS: the hash of a level. ARGV: what it stood at, ttlMs. */
export const SEED = `${PRELUDE}
local known = redis.call('HMGET', KEYS[1], 's', 'p')
if not known[1] then
  redis.call('HSET', KEYS[1], 's', tonumber(ARGV[1]) + tonumber(known[2] or 0))
  redis.call('HDEL', KEYS[1], 'b', 'p')
end
live(tonumber(ARGV[2]), KEYS[1])
return serverMs()
`;
