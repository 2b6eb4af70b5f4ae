import { scriptOf } from './run-script.ts';

/**
 * Records of jobs, moved between their states in one step each. KEYS[1] is the record; ARGV[1] begins every other
 * key, ARGV[2] is the id. Records: what the job is, its state and its counts. Sets: of each queue and state, scored
 * by when the job was made (waiting, active) or ended; of each tenant and of each key, by id; of the open jobs of a
 * tenant.
 */
const PRELUDE = `
local record, prefix, id = KEYS[1], ARGV[1], ARGV[2]
local function move(state, score)
  local known = redis.call('HMGET', record, 'queue', 'tenant', 'state')
  local sets = prefix .. 'state:' .. known[1] .. ':'
  if known[3] then redis.call('ZREM', sets .. known[3], id) end
  redis.call('ZADD', sets .. state, score, id)
  redis.call('HSET', record, 'state', state)
  local open = prefix .. 'open:' .. known[2]
  if state == 'waiting' or state == 'active' then
    redis.call('HDEL', record, 'finished')
    redis.call('SADD', open, id)
  else
    redis.call('HSET', record, 'finished', score)
    redis.call('SREM', open, id)
  end
end
local function get(field) return redis.call('HGET', record, field) end
`;

/** ARGV: prefix, id, now, then fields and values of the record. 0 where the job is there already. */
export const ADD_JOB = scriptOf(`${PRELUDE}
if redis.call('EXISTS', record) == 1 then return 0 end
redis.call('HSET', record, 'created', ARGV[3], 'not_before', ARGV[3], 'attempts', 0, 'lapses', 0, unpack(ARGV, 4))
redis.call('ZADD', prefix .. 'tenant:' .. get('tenant'), 0, id)
redis.call('ZADD', prefix .. 'key:' .. get('tenant') .. ':' .. get('key'), 0, id)
move('waiting', ARGV[3])
return 1`);

/** ARGV: prefix, id. Forgets a job that was not accepted in the end, or that ended long ago. */
export const FORGET_JOB = scriptOf(`${PRELUDE}
local known = redis.call('HMGET', record, 'queue', 'tenant', 'state', 'key')
if not known[1] then return 0 end
redis.call('ZREM', prefix .. 'state:' .. known[1] .. ':' .. known[3], id)
redis.call('ZREM', prefix .. 'tenant:' .. known[2], id)
redis.call('ZREM', prefix .. 'key:' .. known[2] .. ':' .. known[4], id)
redis.call('SREM', prefix .. 'open:' .. known[2], id)
redis.call('DEL', record)
return 1`);

/**
 * KEYS: record, lock. ARGV: prefix, id, now, token, leaseMs, most lapses, failure of who has had more. The record of
 * a job that is begun; nothing where it has ended, or ends now.
 */
export const BEGIN_JOB = scriptOf(`${PRELUDE}
local state = get('state')
if not state or redis.call('GET', KEYS[2]) ~= ARGV[4] then return nil end
if state == 'active' then
  if get('cancel') then move('cancelled', ARGV[3]) return nil end
  if tonumber(get('lapses')) >= tonumber(ARGV[6]) then
    redis.call('HSET', record, 'failure', ARGV[7])
    move('failed', ARGV[3])
    return nil
  end
  redis.call('HINCRBY', record, 'lapses', 1)
elseif state == 'waiting' then
  redis.call('HINCRBY', record, 'attempts', 1)
  redis.call('HSETNX', record, 'started', ARGV[3])
  move('active', get('created'))
else
  return nil
end
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return redis.call('HGETALL', record)`);

/** KEYS: record, lock. ARGV: prefix, id, token, progress or ''. 'held', 'cancelled' or 'lost'. */
export const LOOK_AT_JOB = scriptOf(`${PRELUDE}
if redis.call('GET', KEYS[2]) ~= ARGV[3] or get('state') ~= 'active' then return 'lost' end
if ARGV[4] ~= '' then redis.call('HSET', record, 'progress', ARGV[4]) end
return get('cancel') and 'cancelled' or 'held'`);

/**
 * KEYS: record, lock. ARGV: prefix, id, now, token, state, notBefore, what is added to the attempts, then fields and
 * values; an empty value removes the field. The state that the job has now, nothing where the lease was lost.
 */
export const END_LEASE = scriptOf(`${PRELUDE}
if redis.call('GET', KEYS[2]) ~= ARGV[4] or get('state') ~= 'active' then return nil end
local state = ARGV[5]
for at = 8, #ARGV, 2 do
  if ARGV[at + 1] == '' then redis.call('HDEL', record, ARGV[at])
  else redis.call('HSET', record, ARGV[at], ARGV[at + 1]) end
end
if state == 'waiting' then
  redis.call('HINCRBY', record, 'attempts', ARGV[7])
  if get('cancel') then state = 'cancelled'
  else
    redis.call('HSET', record, 'not_before', ARGV[6])
    move('waiting', get('created'))
    return state
  end
end
move(state, ARGV[3])
return state`);

/** ARGV: prefix, id, now, tenant. 'cancelled', 'asked', or nothing where it has ended. */
export const CANCEL_JOB = scriptOf(`${PRELUDE}
if get('tenant') ~= ARGV[4] then return nil end
local state = get('state')
if state == 'waiting' then move('cancelled', ARGV[3]) return 'cancelled' end
if state ~= 'active' then return nil end
redis.call('HSET', record, 'cancel', 1)
return 'asked'`);

/** ARGV: prefix, id, now, tenant. 1 where the job was failed and waits again. */
export const REPLAY_JOB = scriptOf(`${PRELUDE}
if get('tenant') ~= ARGV[4] or get('state') ~= 'failed' then return 0 end
redis.call('HSET', record, 'attempts', 0, 'lapses', 0, 'not_before', ARGV[3])
redis.call('HDEL', record, 'started', 'cancel')
move('waiting', get('created'))
return 1`);
